  // ---- in place: images, fonts, media, and whatever else has an address ------------------------------

  // What has been swapped: path -> version. Sheets that load later have the old address.
  const swapped = new Map()

  const svgNamespace = 'http://www.w3.org/2000/svg'
  const paintAttributes = ['fill', 'stroke', 'filter', 'mask', 'clip-path', 'cursor', 'marker-start', 'marker-mid', 'marker-end']

  // Which elements load the address in which attribute, and why, in the words of Resource Timing.
  const loadingAttributes = [
    ['img, input[type=image i]', 'src', []],
    ['video, audio, track, :is(video, audio) > source', 'src', ['video', 'audio']],
    ['video', 'poster', []],
    ['[background]', 'background', ['css']],
  ]

  // Whether a text names a file relative to a place that is not known.
  const mayReference = (text, path) => {
    let found = false
    eachUrl(text, (url) => {
      if (!/^(\/|[a-z][a-z0-9+.-]*:)/i.test(url)) found ||= nameOf(pathOf(url) ?? '') === nameOf(path)
    })
    return found
  }

  // Each rule of a sheet, and of those that it imports, with the sheet's own address, to which addresses in it
  // are relative.
  function* rulesBelow(sheet, base = baseOf(sheet)) {
    for (const rule of rulesOf(sheet)) {
      if (rule.styleSheet) yield* rulesBelow(rule.styleSheet)
      else if (rule.style || !rule.cssRules?.length) yield [rule, base]
      if (!rule.styleSheet && rule.cssRules) yield* rulesBelow(rule, base)
    }
  }

  // Shorthands that may name an image, and the longhand for it. It is empty where the shorthand has a var(),
  // and if another longhand is overridden as well, nothing tells the address.
  const imageShorthands = {
    background: 'background-image',
    mask: 'mask-image',
    'border-image': 'border-image-source',
    'list-style': 'list-style-image',
  }
  const isHidden = (style) =>
    Object.entries(imageShorthands).some(
      ([shorthand, longhand]) =>
        !style.getPropertyValue(shorthand) && !style.getPropertyValue(longhand) && [...style].includes(longhand),
    )

  // Steps that change the addresses in a block of declarations. Each property for itself: the text of the
  // whole block lacks what is hidden.
  const restyle = (style, change) => {
    const steps = []
    const names = Object.keys(imageShorthands).filter((name) => !style.getPropertyValue(imageShorthands[name]))
    for (const name of [...names, ...style]) {
      const value = style.getPropertyValue(name)
      const fresh = value.includes('url(') ? eachUrl(value, change) : value
      if (fresh !== value) steps.push(() => style.setProperty(name, fresh, style.getPropertyPriority(name)))
    }
    return steps
  }

  // The rule's declarations cannot be changed, so it is replaced.
  const replaceRule = (rule, text) => {
    const parent = rule.parentRule ?? rule.parentStyleSheet
    const at = [...parent.cssRules].indexOf(rule)
    const isSheet = parent === rule.parentStyleSheet
    isSheet ? remove(parent, at) : parent.deleteRule(at)
    isSheet ? insert(parent, text, at) : parent.insertRule(text, at)
  }

  const isFontFace = (rule) => rule.type === 5 // CSSRule.FONT_FACE_RULE

  // Steps that change the addresses in a sheet.
  function* restyleSheet(sheet, change) {
    for (const [rule, base] of rulesBelow(sheet)) {
      const next = (url) => change(url, base)
      if (rule.style && !isFontFace(rule)) yield* restyle(rule.style, next)
      else if (isFontFace(rule)) {
        const fresh = eachUrl(rule.cssText, next)
        if (fresh !== rule.cssText) yield () => replaceRule(rule, fresh)
      }
    }
  }

  // Gives what a sheet names the addresses that it has been swapped to.
  const restoreSwapped = (sheet) => {
    if (swapped.size === 0) return
    const change = (url, base) => {
      const version = swapped.get(pathOf(url, base))
      return version && versioned(url, version, base)
    }
    for (const step of [...restyleSheet(sheet, change)]) step()
  }

  // Fonts that scripts have added: from where, nobody can tell.
  const hasScriptedFonts = ({ documents, roots }) => {
    let rules = 0
    for (const root of roots)
      for (const sheet of [...root.styleSheets, ...(root.adoptedStyleSheets ?? [])])
        if (!sheet.disabled) for (const [rule] of rulesBelow(sheet)) if (isFontFace(rule)) rules++
    return documents.reduce((sum, { fonts }) => sum + (fonts?.size ?? 0), 0) > rules
  }

  // All uses of a file: steps that update them, the addresses it is loaded from, the reasons for loading
  // it that these explain, and whether there is a use that cannot be updated.
  const resourceUses = (path, version, scan) => {
    const uses = { steps: [], urls: new Set(), symbols: new Set(), media: new Set(), reasons: new Set(), unsupported: false }
    const next = (url, base) => {
      if (pathOf(url, base) !== path) return null
      uses.urls.add(unversioned(url, base))
      return versioned(url, version, base)
    }
    const found = (steps, ...reasons) => {
      if (steps.length) reasons.forEach((reason) => uses.reasons.add(reason))
      uses.steps.push(...steps)
    }
    const attribute = (node, name, reasons) => {
      const url = node.getAttribute(name)
      const fresh = url && next(url, node.baseURI)
      if (fresh) found([() => node.setAttribute(name, fresh)], ...reasons)
      return fresh
    }
    const declarations = (style, base) => {
      // Where a variable is used decides what an address in it is relative to.
      for (const name of style) {
        if (name.startsWith('--') && mayReference(style.getPropertyValue(name), path)) uses.unsupported = true
      }
      found(restyle(style, (url) => next(url, base)), 'css')
      uses.hidden ||= isHidden(style)
    }
    const sheet = (sheet) => {
      for (const [rule, base] of rulesBelow(sheet)) {
        if (rule.style && !isFontFace(rule)) {
          declarations(rule.style, base)
          continue
        }
        const fresh = eachUrl(rule.cssText, (url) => next(url, base))
        if (fresh === rule.cssText) continue
        uses.unsupported ||= !isFontFace(rule)
        uses.fonts = true
        found([() => replaceRule(rule, fresh)], 'css')
      }
    }
    for (const root of scan.roots) {
      for (const [selector, name, reasons] of loadingAttributes) {
        for (const node of root.querySelectorAll(selector)) {
          if (!attribute(node, name, [node.localName, ...reasons])) continue
          const media = name === 'src' && node.closest('video, audio')
          if (media && node.localName !== 'track') uses.media.add(media)
        }
      }
      for (const node of root.querySelectorAll('link[href]')) {
        const rel = node.relList
        if (rel.contains('icon') || /\b(manifest|(apple-touch|mask)-icon|apple-touch-startup-image)\b/i.test(node.rel)) {
          attribute(node, 'href', ['link', 'icon', 'manifest', 'other'])
        } else if (rel.contains('preload') && pathOf(node.href) === path) {
          // Loaded for one of the other uses, or for a script that has it.
          uses.reasons.add('link')
          uses.unsupported ||= !['image', 'font', 'video', 'audio', 'track'].includes(node.as)
        }
      }
      for (const node of root.querySelectorAll('img[srcset], source[srcset]')) {
        const fresh = eachCandidate(node.srcset, (url) => next(url, node.baseURI))
        if (fresh !== eachCandidate(node.srcset, () => null)) found([() => (node.srcset = fresh)], 'img')
      }
      for (const node of root.querySelectorAll('[*|href]')) {
        if (node.namespaceURI !== svgNamespace || node.localName === 'a') continue
        for (const { name, namespaceURI, value } of [...node.attributes]) {
          const fresh = /^(xlink:)?href$/.test(name) && !value.startsWith('#') && next(value, node.baseURI)
          if (!fresh) continue
          if (!['image', 'feImage', 'use'].includes(node.localName)) uses.unsupported = true
          if (node.localName === 'use') uses.symbols.add(fresh)
          found([() => node.setAttributeNS(namespaceURI, name, fresh)], node.localName, 'other')
        }
      }
      for (const node of root.querySelectorAll(paintAttributes.map((name) => `[${name}*="url("]`).join())) {
        for (const name of paintAttributes) {
          const text = node.getAttribute(name) ?? ''
          const fresh = eachUrl(text, (url) => !url.startsWith('#') && next(url, node.baseURI))
          if (fresh !== text) found([() => node.setAttribute(name, fresh)], node.localName, 'css', 'other')
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
    const drawn = uses.reasons.has('img') || uses.reasons.has('image') || uses.media.size > 0
    uses.unsupported ||= (uses.canvas && drawn) || (uses.fonts && hasScriptedFonts(scan))
    // Where an address is hidden, it may be this one.
    uses.unsupported ||= uses.hidden && reasonsFor(path, scan).has('css')
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

  // Loads and decodes a file before it is shown, so that nothing flashes.
  const loadAhead = async (path, url) => {
    if (isFont(path)) return new FontFace('tidings', `url("${url}")`).load()
    const image = new Image()
    if (isImage(path)) image.src = url
    return image.decode()
  }

  // Returns a function that goes on where this one is now, with what its file has then.
  const resumes = (media) => {
    const { currentTime, paused, playbackRate } = media
    return () => {
      media.load()
      Object.assign(media, { currentTime, playbackRate })
      if (!paused) media.play().catch(() => {})
    }
  }

  // Returns a function that updates a file in place, or null where only a reload will do.
  const swapResource = (path, version, scan) => {
    const { steps, reasons, unsupported } = resourceUses(path, version, scan)
    if (unsupported || steps.length === 0) return null
    for (const reason of reasonsFor(path, scan)) if (!reasons.has(reason)) return null
    return async () => {
      swapped.set(path, version)
      const { steps, urls, symbols, media } = resourceUses(path, version, scanDocuments())
      // What loads its old address later gets the new file.
      const refreshed = [...urls].map(refresh)
      const prepared = [...urls].map((url) => loadAhead(path, versioned(url, version)).catch(() => {}))
      const helpers = await Promise.all([...symbols].map(loadSymbol))
      await Promise.all([...refreshed, ...prepared])
      steps.push(...Array.from(media, resumes))
      for (const step of steps) step()
      for (const helper of helpers) helper.remove()
    }
  }
