  // ---- in place: style sheets ----------------------------------------------------------------------
  //
  // The element stays, and with it its attributes and what scripts have set: it only gets a new address.
  // Until that has loaded, a copy that is loaded already is its placeholder, so that nothing is painted
  // without the style, nor with half of it.

  // What addresses in a sheet are relative to.
  const baseOf = (sheet) => sheet.href ?? sheet.ownerNode?.baseURI ?? document.baseURI

  // Waits until an element has loaded. Tells whether it has.
  const loaded = (node) =>
    new Promise((done) => {
      node.addEventListener('load', () => done(true), { once: true })
      node.addEventListener('error', () => done(false), { once: true })
      setTimeout(done, 3000)
    })

  const setMedia = (node, media) => (media === null ? node.removeAttribute('media') : node.setAttribute('media', media))

  const isAlternate = (node) => node.localName === 'link' && node.relList.contains('alternate')

  // Whether an alternate sheet is the selected one. No API says so, so a rule is inserted for a moment, in
  // which nothing is painted, to see whether it has an effect.
  const isSelected = ({ sheet, ownerDocument }) => {
    const name = '--tidings-probe'
    const end = sheet.cssRules.length
    insert(sheet, `:root { ${name}: 1 !important }`, end)
    const { documentElement, defaultView } = ownerDocument
    const selected = defaultView.getComputedStyle(documentElement).getPropertyValue(name) !== ''
    remove(sheet, end)
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
    if (placeholder.sheet) restoreSwapped(placeholder.sheet)
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
    if (!node.sheet) throw new Error('it cannot be loaded')
    node.sheet.disabled = disabled
    if (node.sheet.media.mediaText !== wanted) node.sheet.media.mediaText = wanted
    restoreSwapped(node.sheet)
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

  // Whether scripts have put rules into a sheet or into what it imports, which are lost if that is loaded.
  const isScripted = (sheet) => [...sheetsIn(null, [sheet])].some(([one]) => scripted.has(one))

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
    if (isScripted(link.sheet)) throw new Error('a script has put rules in, which would be lost')
    const shows = !link.sheet.disabled && (!isAlternate(link) || isSelected(link))
    if (!shows) return reloadSheet(link, () => load(0))
    await reloadBehindPlaceholder(link, await placeholderFor(link, versioned(address, version)), load)
  }

  const reloadStyle = async (style) => {
    const placeholder = await placeholderFor(style)
    if (isScripted(style.sheet) || textOf(placeholder.sheet) !== textOf(style.sheet)) {
      placeholder.remove()
      throw new Error('a script has put rules in, which would be lost')
    }
    await reloadBehindPlaceholder(style, placeholder, () => (style.textContent = style.textContent))
  }

  // The elements and imports that load a sheet, and whether there is a use that cannot be updated.
  const sheetUses = (path, { roots }) => {
    const uses = { owners: new Set(), sheets: [], imports: new Set(), reasons: new Set(), unsupported: false }
    const isIt = (url, base) => pathOf(url, base) === path
    for (const root of roots) {
      for (const link of root.querySelectorAll('link[href]')) {
        if (!isIt(addressOf(link))) continue
        // The hash no longer matches, and a browser may then keep the old sheet.
        uses.unsupported ||= link.integrity !== ''
        if (link.relList.contains('stylesheet')) uses.owners.add(link)
        else if (link.relList.contains('preload') && link.as !== 'style') uses.unsupported = true
        else continue
        uses.reasons.add('link')
      }
      for (const [sheet, owner] of sheetsIn(root)) {
        for (const { href, styleSheet } of rulesOf(sheet)) {
          // It is being loaded, perhaps from before the change.
          if (styleSheet === null && isIt(href, baseOf(sheet))) uses.unsupported = true
        }
        if (!sheet.href || !isIt(sheet.href)) continue
        uses.sheets.push([sheet, owner])
        if (!['link', 'style'].includes(owner?.localName)) uses.unsupported = true // <?xml-stylesheet?>
        uses.unsupported ||= scripted.has(sheet)
        uses.owners.add(owner)
        if (!sheet.parentStyleSheet) continue
        uses.imports.add(unversioned(sheet.href))
        uses.reasons.add('css')
      }
    }
    return uses
  }

  // Returns a function that updates a sheet in place, or null where only a reload will do.
  const swapSheet = (path, version, scan, text) => {
    // A service worker may change what it passes on.
    if (navigator.serviceWorker?.controller) text = undefined
    const { owners, reasons, unsupported } = sheetUses(path, scan)
    if (unsupported || owners.size === 0) return null
    for (const reason of reasonsFor(path, scan)) if (!reasons.has(reason)) return null
    return async () => {
      // Looked up again: earlier swaps may have changed it.
      const { owners, sheets, imports, unsupported } = sheetUses(path, scanDocuments())
      if (unsupported) throw new Error('a use of the sheet is new')
      if (text !== undefined) {
        const failed = sheets.filter(([sheet]) => !setText(sheet, text)).map(([, owner]) => owner)
        for (const [, owner] of sheets) if (!failed.includes(owner)) owners.delete(owner)
        if (owners.size === 0) return
      }
      // An import has no element to give a new address to, so the file in the cache is replaced.
      await Promise.all([...imports].map(refresh))
      await Promise.all([...owners].map((node) => (node.localName === 'link' ? reloadLink(node, version) : reloadStyle(node))))
    }
  }
