  // ---- in place: style sheets ----------------------------------------------------------------------

  const isSheet = (path) => /\.css$/i.test(path)

  // Every sheet of the document with the element that brought it, imports included.
  function* sheets(list = document.styleSheets, owner = null) {
    for (const sheet of list) {
      const node = owner ?? sheet.ownerNode
      yield [sheet, node]
      let rules = []
      try {
        rules = sheet.cssRules
      } catch {} // of another origin
      for (const rule of rules) if (rule.styleSheet) yield* sheets([rule.styleSheet], node)
    }
  }

  const busted = (url, bust, base = document.baseURI) => {
    const fresh = new URL(url, base)
    fresh.searchParams.set('tidings', bust)
    return fresh.href
  }

  const loaded = (node) =>
    new Promise((done) => {
      node.addEventListener('load', done)
      node.addEventListener('error', done)
      setTimeout(done, 3000)
    })

  // The new sheet stands beside the old one until it has loaded: nothing flashes.
  const replaceOwner = async (node, bust) => {
    const next = node.cloneNode(true)
    if (node.localName === 'link') next.href = busted(node.href, bust)
    const ready = loaded(next)
    node.after(next)
    await ready
    node.remove()
  }

  const ownersOf = (path) => {
    const owners = new Set()
    for (const link of document.querySelectorAll('link[rel~="stylesheet" i][href]')) {
      if (pathOf(link.href) === path) owners.add(link)
    }
    for (const [sheet, node] of sheets()) {
      if (sheet.href && pathOf(sheet.href) === path && node?.after) owners.add(node)
    }
    return owners
  }

  // Returns how to show a file anew in place, or null where only a reload will do.
  const swapOf = (path, bust) => {
    if (isSheet(path)) {
      if (ownersOf(path).size === 0) return null
      return async () => {
        // Looked up anew: an earlier swap may have replaced them.
        const urls = new Set()
        for (const [sheet] of sheets()) if (sheet.href && pathOf(sheet.href) === path) urls.add(sheet.href)
        // An import has no element to give a new address to, so the cache gets the new text.
        await Promise.all([...urls].map((url) => fetch(url, { cache: 'reload' }).catch(() => {})))
        await Promise.all([...ownersOf(path)].map((node) => replaceOwner(node, bust)))
      }
    }
    return isImage(path) ? swapImage(path, bust) : null
  }

