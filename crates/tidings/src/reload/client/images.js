  // ---- in place: images ----------------------------------------------------------------------------

  // Images that have been swapped: path -> version. Sheets that load later have the old address.
  const swappedImages = new Map()

  const svgNamespace = 'http://www.w3.org/2000/svg'
  const paintAttributes = ['fill', 'stroke', 'filter', 'mask', 'clip-path', 'cursor', 'marker-start', 'marker-mid', 'marker-end']

  const nameOf = (path) => path.slice(path.lastIndexOf('/') + 1)

  // Whether a text names a file relative to a place that is not known.
  const mayReference = (text, path) => {
    let found = false
    eachUrl(text, (url) => {
      if (!/^(\/|[a-z][a-z0-9+.-]*:)/i.test(url)) found ||= nameOf(pathOf(url) ?? '') === nameOf(path)
    })
    return found
  }

  // Each block of declarations of a sheet, and of those that it imports, with the sheet's own address,
  // to which addresses in it are relative.
  function* declarationsOf(sheet, base = sheet.href ?? sheet.ownerNode?.baseURI ?? document.baseURI) {
    for (const rule of rulesOf(sheet)) {
      if (rule.styleSheet) yield* declarationsOf(rule.styleSheet)
      else if (rule.style) yield [rule, base]
      else if (!rule.cssRules?.length) yield [rule, base]
      if (!rule.styleSheet && rule.cssRules) yield* declarationsOf(rule, base)
    }
  }

  // Gives the images in a sheet the addresses that they have been swapped to.
  const restoreSwappedImages = (sheet) => {
    if (swappedImages.size === 0) return
    for (const [{ style }, base] of declarationsOf(sheet)) {
      if (!style?.cssText.includes('url(')) continue
      const next = eachUrl(style.cssText, (url) => {
        const version = swappedImages.get(pathOf(url, base))
        return version && versioned(url, version, base)
      })
      if (next !== style.cssText) style.cssText = next
    }
  }

  // All uses of an image: steps that update them, the addresses it is loaded from, the reasons for loading
  // it that these explain, and whether there is a use that cannot be updated.
  const imageUses = (path, version, { roots }) => {
    const uses = { steps: [], urls: new Set(), symbols: new Set(), reasons: new Set(), unsupported: false }
    const next = (url, base) => {
      if (pathOf(url, base) !== path) return null
      uses.urls.add(unversioned(url, base))
      return versioned(url, version, base)
    }
    const attribute = (node, name, reasons) => {
      const url = node.getAttribute(name)
      const fresh = url && next(url, node.baseURI)
      if (!fresh) return
      uses.steps.push(() => node.setAttribute(name, fresh))
      reasons.forEach((reason) => uses.reasons.add(reason))
    }
    const declarations = (style, base) => {
      const text = style.cssText
      if (!text.includes('url(')) return
      const fresh = eachUrl(text, (url) => next(url, base))
      // Where a variable is used decides what an address in it is relative to.
      for (const name of style) {
        if (name.startsWith('--') && mayReference(style.getPropertyValue(name), path)) uses.unsupported = true
      }
      if (fresh === text) return
      uses.steps.push(() => (style.cssText = fresh))
      uses.reasons.add('css')
    }
    const sheet = (sheet) => {
      for (const [rule, base] of declarationsOf(sheet)) {
        const isFont = rule.type === 5 // CSSRule.FONT_FACE_RULE, whose declarations cannot be changed
        if (rule.style && !isFont) declarations(rule.style, base)
        else if (eachUrl(rule.cssText, (url) => next(url, base)) !== rule.cssText) uses.unsupported = true
      }
    }
    for (const root of roots) {
      for (const node of root.querySelectorAll('img, input[type=image i]')) attribute(node, 'src', [node.localName])
      for (const node of root.querySelectorAll('video[poster]')) attribute(node, 'poster', ['video'])
      for (const node of root.querySelectorAll('[background]')) attribute(node, 'background', [node.localName, 'css'])
      for (const node of root.querySelectorAll('link[href]')) {
        if (node.relList.contains('icon')) attribute(node, 'href', ['link', 'icon', 'other'])
        // Loaded for one of the other uses, or for a script that has it.
        else if (node.relList.contains('preload') && pathOf(node.href) === path) {
          uses.reasons.add('link')
          uses.unsupported ||= node.as !== 'image'
        }
      }
      for (const node of root.querySelectorAll('img[srcset], source[srcset]')) {
        const fresh = eachCandidate(node.srcset, (url) => next(url, node.baseURI))
        if (fresh === eachCandidate(node.srcset, () => null)) continue
        uses.steps.push(() => (node.srcset = fresh))
        uses.reasons.add('img')
      }
      for (const node of root.querySelectorAll('[*|href]')) {
        if (node.namespaceURI !== svgNamespace || node.localName === 'a') continue
        for (const { name, namespaceURI, value } of [...node.attributes]) {
          const fresh = /^(xlink:)?href$/.test(name) && !value.startsWith('#') && next(value, node.baseURI)
          if (!fresh) continue
          if (!['image', 'feImage', 'use'].includes(node.localName)) uses.unsupported = true
          if (node.localName === 'use') uses.symbols.add(fresh)
          uses.steps.push(() => node.setAttributeNS(namespaceURI, name, fresh))
          for (const reason of [node.localName, 'other']) uses.reasons.add(reason)
        }
      }
      for (const node of root.querySelectorAll(paintAttributes.map((name) => `[${name}*="url("]`).join())) {
        for (const name of paintAttributes) {
          const text = node.getAttribute(name) ?? ''
          const fresh = eachUrl(text, (url) => !url.startsWith('#') && next(url, node.baseURI))
          if (fresh === text) continue
          uses.steps.push(() => node.setAttribute(name, fresh))
          for (const reason of [node.localName, 'css', 'other']) uses.reasons.add(reason)
        }
      }
      for (const node of root.querySelectorAll('[style]')) declarations(node.style, node.baseURI)
      for (const one of root.styleSheets) sheet(one)
      for (const made of root.adoptedStyleSheets ?? []) {
        // It is not known what addresses in it are relative to.
        uses.unsupported ||= mayReference(textOf(made), path)
        sheet(made)
      }
      // A canvas keeps what was drawn.
      uses.canvas ||= root.querySelector('canvas') !== null
    }
    uses.unsupported ||= uses.canvas && (uses.reasons.has('img') || uses.reasons.has('image'))
    return uses
  }

  // Loads a symbol's document beforehand, or gives up after a while: it may have nothing to show.
  const loadSymbol = async (url) => {
    const svg = document.createElementNS(svgNamespace, 'svg')
    const use = svg.appendChild(document.createElementNS(svgNamespace, 'use'))
    use.setAttribute('href', url)
    svg.style.cssText = 'position: absolute; width: 0; height: 0'
    document.documentElement.append(svg)
    const end = performance.now() + 500
    while (performance.now() < end) {
      const { width, height } = use.getBBox()
      if (width || height) break
      await delay(10)
    }
    return svg
  }

  // Returns a function that updates an image in place, or null where only a reload will do.
  const swapImage = (path, version, scan) => {
    const { steps, reasons, unsupported } = imageUses(path, version, scan)
    if (unsupported || steps.length === 0) return null
    for (const reason of reasonsFor(path, scan)) if (!reasons.has(reason)) return null
    return async () => {
      swappedImages.set(path, version)
      const { steps, urls, symbols } = imageUses(path, version, scanDocuments())
      // What loads its old address later gets the new image.
      const refreshed = [...urls].map(refresh)
      // Loaded and decoded before it is shown: nothing flashes.
      const decoded = [...urls].map((url) => {
        const image = new Image()
        image.src = versioned(url, version)
        return image.decode().catch(() => {})
      })
      const helpers = await Promise.all([...symbols].map(loadSymbol))
      await Promise.all([...refreshed, ...decoded])
      for (const step of steps) step()
      for (const helper of helpers) helper.remove()
    }
  }

