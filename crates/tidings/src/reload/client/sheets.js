  // ---- in place: style sheets ----------------------------------------------------------------------
  //
  // The element stays, and with it all that scripts and the page have said about it: it only gets a
  // new address. Until that has loaded, a copy that is loaded already covers for it, so that no frame
  // is shown without the style, nor with half of it.

  // Every sheet of a document or shadow root with the element that brought it, imports included.
  function* sheetsIn(root, list = root.styleSheets, owner = null) {
    for (const sheet of list) {
      const node = owner ?? sheet.ownerNode
      yield [sheet, node]
      for (const rule of rulesOf(sheet)) if (rule.styleSheet) yield* sheetsIn(root, [rule.styleSheet], node)
    }
  }

  const rulesOf = (sheet) => {
    try {
      return sheet.cssRules
    } catch {
      return [] // of another origin
    }
  }

  const loaded = (node) =>
    new Promise((done) => {
      node.addEventListener('load', done, { once: true })
      node.addEventListener('error', done, { once: true })
      setTimeout(done, 3000)
    })

  const setMedia = (node, media) => (media === null ? node.removeAttribute('media') : node.setAttribute('media', media))

  const isAlternate = (node) => node.localName === 'link' && node.relList.contains('alternate')

  // Whether an alternate sheet is the chosen one. Nothing says so but its effect: a rule that is put in
  // for a moment, in which nothing is painted.
  const isChosen = ({ sheet, ownerDocument }) => {
    const name = '--tidings-probe'
    const end = sheet.cssRules.length
    sheet.insertRule(`:root { ${name}: 1 !important }`, end)
    const { documentElement, defaultView } = ownerDocument
    const chosen = defaultView.getComputedStyle(documentElement).getPropertyValue(name) !== ''
    sheet.deleteRule(end)
    return chosen
  }

  // A copy of an element with the sheet as it is now, showing.
  const coverOf = async (node, address) => {
    const cover = node.cloneNode(true)
    for (const name of ['id', 'onload', 'onerror']) cover.removeAttribute(name)
    if (isAlternate(node)) {
      cover.relList.remove('alternate')
      cover.removeAttribute('title')
    }
    cover.setAttribute('media', 'not all')
    if (address) cover.href = address
    const loading = loaded(cover)
    node.after(cover)
    await loading
    if (cover.sheet) repaint(cover.sheet)
    setMedia(cover, node.getAttribute('media'))
    return cover
  }

  // Loads an element's sheet anew, by `load`, and gives the new one what scripts had set on the old one.
  const renew = async (node, load) => {
    const { disabled, media } = node.sheet
    const [wanted, attribute] = [media.mediaText, node.getAttribute('media')]
    if (disabled) node.setAttribute('media', 'not all') // until it is disabled again
    const loading = loaded(node)
    load()
    await loading
    if (disabled) setMedia(node, attribute)
    if (!node.sheet) return
    node.sheet.disabled = disabled
    if (node.sheet.media.mediaText !== wanted) node.sheet.media.mediaText = wanted
    repaint(node.sheet)
  }

  const textOf = (sheet) => Array.from(rulesOf(sheet), (rule) => rule.cssText).join('\n')

  const textWithImports = (sheet) =>
    Array.from(rulesOf(sheet), (rule) =>
      rule.styleSheet ? textWithImports(rule.styleSheet) : rule.cssText,
    ).join('\n')

  // Loads an element's sheet anew while a copy covers for it. The element asks a moment after the copy:
  // a file that is being written again just then is found half. So it is asked until it is what the
  // copy has, or the same twice, which is what the next change will be about.
  const renewCovered = async (node, cover, load) => {
    let last = null
    for (let n = 0; n < 5 && node.sheet; n++) {
      await renew(node, () => load(n))
      const text = textWithImports(node.sheet)
      if (text === last || text === textWithImports(cover.sheet)) break
      last = text
      await delay(50)
    }
    cover.remove()
  }

  // The address that a link's sheet came from. A `<base>` further down changes what `link.href` says, but
  // not what has been loaded; a script that changes the attribute does.
  const addressOf = ({ sheet, href, attributes }) => {
    try {
      const { pathname, search } = new URL(attributes.href.value, streamUrl.origin)
      if (sheet.href.replace(/#.*/, '').endsWith(pathname + search)) return sheet.href
    } catch {} // not loaded, or no address
    return href
  }

  const renewLink = async (link, bust) => {
    const address = addressOf(link)
    const load = (n) => (link.href = busted(address, n ? `${bust}-${n}` : bust))
    // Disabled, or not found until now: there is nothing to keep, and perhaps nothing will be loaded.
    if (!link.sheet) return void load(0)
    const shows = !link.sheet.disabled && (!isAlternate(link) || isChosen(link))
    if (!shows) return renew(link, () => load(0))
    await renewCovered(link, await coverOf(link, busted(address, bust)), load)
  }

  const renewStyle = async (style) => {
    const cover = await coverOf(style)
    if (textOf(cover.sheet) !== textOf(style.sheet)) {
      cover.remove()
      throw new Error('a script has put rules in, which would be lost')
    }
    await renewCovered(style, cover, () => (style.textContent = style.textContent))
  }

  // All that brings a sheet in: elements, and whether there is something else that does.
  const sheetUses = (path, { roots }) => {
    const uses = { owners: new Set(), imports: new Set(), reasons: new Set(), stuck: false }
    for (const root of roots) {
      for (const link of root.querySelectorAll('link[href]')) {
        if (pathOf(addressOf(link)) !== path) continue
        // A hash does not fit any more, and a browser may then keep what it has.
        uses.stuck ||= link.integrity !== ''
        if (link.relList.contains('stylesheet')) uses.owners.add(link)
        else if (link.relList.contains('preload') && link.as !== 'style') uses.stuck = true
        else continue
        uses.reasons.add('link')
      }
      for (const [sheet, owner] of sheetsIn(root)) {
        if (!sheet.href || pathOf(sheet.href) !== path || uses.owners.has(owner)) continue
        if (!['link', 'style'].includes(owner?.localName)) uses.stuck = true // <?xml-stylesheet?>
        uses.owners.add(owner)
      }
      for (const [sheet] of sheetsIn(root)) {
        if (!sheet.parentStyleSheet || !sheet.href || pathOf(sheet.href) !== path) continue
        uses.imports.add(original(sheet.href))
        uses.reasons.add('css')
      }
    }
    return uses
  }

  // Returns how to show a sheet anew in place, or null where only a reload will do.
  const swapSheet = (path, bust, around) => {
    const { owners, reasons, stuck } = sheetUses(path, around)
    if (stuck || owners.size === 0) return null
    for (const reason of reasonsFor(path, around)) if (!reasons.has(reason)) return null
    return async () => {
      // Looked up anew: what was done before may have changed it.
      const { owners, imports } = sheetUses(path, lookAround())
      // An import has no element to give a new address to, so the cache gets the new text.
      await Promise.all([...imports].map(refresh))
      await Promise.all([...owners].map((node) => (node.localName === 'link' ? renewLink(node, bust) : renewStyle(node))))
    }
  }

