  // ---- in place: style sheets ----------------------------------------------------------------------
  //
  // The element stays, and with it its attributes and what scripts have set: it only gets a new address.
  // Until that has loaded, a copy that is loaded already is its placeholder, so that nothing is painted
  // without the style, nor with half of it.

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

  // Whether an alternate sheet is the selected one. No API says so, so a rule is inserted for a moment, in
  // which nothing is painted, to see whether it has an effect.
  const isSelected = ({ sheet, ownerDocument }) => {
    const name = '--tidings-probe'
    const end = sheet.cssRules.length
    sheet.insertRule(`:root { ${name}: 1 !important }`, end)
    const { documentElement, defaultView } = ownerDocument
    const selected = defaultView.getComputedStyle(documentElement).getPropertyValue(name) !== ''
    sheet.deleteRule(end)
    return selected
  }

  // A copy of an element with the sheet as it is now, showing.
  const placeholderFor = async (node, address) => {
    const placeholder = node.cloneNode(true)
    for (const name of ['id', 'onload', 'onerror']) placeholder.removeAttribute(name)
    if (isAlternate(node)) {
      placeholder.relList.remove('alternate')
      placeholder.removeAttribute('title')
    }
    placeholder.setAttribute('media', 'not all')
    if (address) placeholder.href = address
    const loading = loaded(placeholder)
    node.after(placeholder)
    await loading
    if (placeholder.sheet) restoreSwappedImages(placeholder.sheet)
    setMedia(placeholder, node.getAttribute('media'))
    return placeholder
  }

  // Reloads an element's sheet, by `load`, and copies what scripts had set on the old one to the new one.
  const reloadSheet = async (node, load) => {
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
    restoreSwappedImages(node.sheet)
  }

  const textOf = (sheet) => Array.from(rulesOf(sheet), (rule) => rule.cssText).join('\n')

  const textWithImports = (sheet) =>
    Array.from(rulesOf(sheet), (rule) =>
      rule.styleSheet ? textWithImports(rule.styleSheet) : rule.cssText,
    ).join('\n')

  // Reloads an element's sheet while its placeholder is shown. The element requests the file a moment
  // after the placeholder, and could get half of one that is being written just then. So it is requested
  // until it is what the placeholder has, or the same twice, which the next change will be about.
  const reloadBehindPlaceholder = async (node, placeholder, load) => {
    let last = null
    for (let n = 0; n < 5 && node.sheet; n++) {
      await reloadSheet(node, () => load(n))
      const text = textWithImports(node.sheet)
      if (text === last || text === textWithImports(placeholder.sheet)) break
      last = text
      await delay(50)
    }
    placeholder.remove()
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

  const reloadLink = async (link, version) => {
    const address = addressOf(link)
    const load = (n) => (link.href = versioned(address, n ? `${version}-${n}` : version))
    // Disabled, or not found until now: there is nothing to keep, and perhaps nothing will be loaded.
    if (!link.sheet) return void load(0)
    const shows = !link.sheet.disabled && (!isAlternate(link) || isSelected(link))
    if (!shows) return reloadSheet(link, () => load(0))
    await reloadBehindPlaceholder(link, await placeholderFor(link, versioned(address, version)), load)
  }

  const reloadStyle = async (style) => {
    const placeholder = await placeholderFor(style)
    if (textOf(placeholder.sheet) !== textOf(style.sheet)) {
      placeholder.remove()
      throw new Error('a script has put rules in, which would be lost')
    }
    await reloadBehindPlaceholder(style, placeholder, () => (style.textContent = style.textContent))
  }

  // The elements and imports that load a sheet, and whether there is a use that cannot be updated.
  const sheetUses = (path, { roots }) => {
    const uses = { owners: new Set(), imports: new Set(), reasons: new Set(), unsupported: false }
    for (const root of roots) {
      for (const link of root.querySelectorAll('link[href]')) {
        if (pathOf(addressOf(link)) !== path) continue
        // The hash no longer matches, and a browser may then keep the old sheet.
        uses.unsupported ||= link.integrity !== ''
        if (link.relList.contains('stylesheet')) uses.owners.add(link)
        else if (link.relList.contains('preload') && link.as !== 'style') uses.unsupported = true
        else continue
        uses.reasons.add('link')
      }
      for (const [sheet, owner] of sheetsIn(root)) {
        if (!sheet.href || pathOf(sheet.href) !== path || uses.owners.has(owner)) continue
        if (!['link', 'style'].includes(owner?.localName)) uses.unsupported = true // <?xml-stylesheet?>
        uses.owners.add(owner)
      }
      for (const [sheet] of sheetsIn(root)) {
        if (!sheet.parentStyleSheet || !sheet.href || pathOf(sheet.href) !== path) continue
        uses.imports.add(unversioned(sheet.href))
        uses.reasons.add('css')
      }
    }
    return uses
  }

  // Returns a function that updates a sheet in place, or null where only a reload will do.
  const swapSheet = (path, version, scan) => {
    const { owners, reasons, unsupported } = sheetUses(path, scan)
    if (unsupported || owners.size === 0) return null
    for (const reason of reasonsFor(path, scan)) if (!reasons.has(reason)) return null
    return async () => {
      // Looked up again: earlier swaps may have changed it.
      const { owners, imports } = sheetUses(path, scanDocuments())
      // An import has no element to give a new address to, so the file in the cache is replaced.
      await Promise.all([...imports].map(refresh))
      await Promise.all([...owners].map((node) => (node.localName === 'link' ? reloadLink(node, version) : reloadStyle(node))))
    }
  }

