  // ---- in place: images ----------------------------------------------------------------------------

  const isImage = (path) => /\.(png|jpe?g|gif|webp|avif|svg|ico|bmp|apng)$/i.test(path)

  const bustText = (text, path, bust, base) =>
    text.replace(/url\(\s*(["']?)(.*?)\1\s*\)/g, (whole, _, url) =>
      pathOf(url, base) === path ? `url("${busted(url, bust, base)}")` : whole,
    )

  const bustSrcset = (text, path, bust) =>
    text.replace(/(\S+?)(,?(?:\s|$))/g, (whole, url, end) =>
      pathOf(url) === path ? busted(url, bust) + end : whole,
    )

  function* rulesOf(rules) {
    for (const rule of rules) {
      yield rule
      yield* rulesOf(rule.cssRules ?? [])
    }
  }

  const swapImage = (path, bust) => {
    const steps = []
    const attribute = (node, name) => {
      const url = node.getAttribute(name)
      if (url && pathOf(url) === path) steps.push(() => node.setAttribute(name, busted(url, bust)))
    }
    for (const node of document.querySelectorAll('img, input[type=image]')) attribute(node, 'src')
    for (const node of document.querySelectorAll('video[poster]')) attribute(node, 'poster')
    for (const node of document.querySelectorAll('link[rel~="icon" i]')) attribute(node, 'href')
    for (const node of document.querySelectorAll('image')) attribute(node, 'href')
    for (const node of document.querySelectorAll('img[srcset], source[srcset]')) {
      const next = bustSrcset(node.srcset, path, bust)
      if (next !== node.srcset) steps.push(() => (node.srcset = next))
    }
    // Addresses in a sheet are relative to the sheet.
    const style = (style, base = document.baseURI) => {
      for (const name of [...style]) {
        const text = style.getPropertyValue(name)
        if (!text.includes('url(')) continue
        const next = bustText(text, path, bust, base)
        if (next !== text) {
          steps.push(() => style.setProperty(name, next, style.getPropertyPriority(name)))
        }
      }
    }
    for (const node of document.querySelectorAll('[style*="url("]')) style(node.style)
    for (const [sheet] of sheets()) {
      try {
        for (const rule of rulesOf(sheet.cssRules)) if (rule.style) style(rule.style, sheet.href ?? document.baseURI)
      } catch {} // of another origin
    }
    if (steps.length === 0) return null
    return async () => {
      // Fetched and decoded before it is shown: nothing flashes.
      const image = new Image()
      image.src = busted(path.split('/').map(encodeURIComponent).join('/'), bust)
      await image.decode().catch(() => {})
      steps.forEach((step) => step())
    }
  }

