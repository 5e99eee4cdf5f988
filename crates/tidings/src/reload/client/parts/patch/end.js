  // ---- the patch -----------------------------------------------------------------------------------

  // Properties of nodes that are used here, and which a field of a form with that name would hide (HTML 4.10.3).
  const CLOBBERING =
    /\b(name|id)\s*=\s*["']?(attributes|childNodes|children|closest|contains|firstChild|getAttribute\w*|insertBefore|isConnected|isEqualNode|localName|matches|moveBefore|namespaceURI|nextSibling|nodeName|nodeType|outerHTML|innerHTML|parentNode|querySelector\w*|removeAttribute\w*|setAttribute\w*|textContent|documentElement|compatMode|dataset)\b/i

  let kept = null // the source of what the page shows, and its document

  const attempt = (oldText, newText, mode) => {
    if (document.readyState === 'loading') doubt('it was still loading')
    if (document.contentType !== 'text/html') doubt('it is not HTML')
    const texts = [oldText, newText]
    // <selectedcontent> holds what the browser has copied there.
    if (texts.some((text) => /noframes|<frameset|<plaintext|<selectedcontent/i.test(text))) doubt('it has elements that cannot be patched')
    if (texts.some((text) => CLOBBERING.test(text))) doubt('a name in it hides properties of elements')
    const oldSource = kept?.text === oldText ? kept.source : parse(oldText)
    const newSource = parse(newText)
    const sources = [oldSource, newSource]
    kept = null
    sources.forEach(alignOwnScript)
    checkFrame(oldSource, newSource)
    provable = isProvable(sources, texts, mode)
    hasTemplates = /<template/i.test(oldText + newText)
    identities = new Map()
    keys = new Map()
    const roots = sources.map((source) => [source.documentElement, document.documentElement])
    partners = new Map(roots)
    extras = 0
    closed = new Set()
    if (provable && !holds(document.documentElement, oldSource.documentElement)) doubt('the page differs from its source')
    const known = extras
    edits = []
    edited = []
    insertions = []
    removed = []
    moves = new Map()
    plan(oldSource.documentElement, newSource.documentElement, document.documentElement)
    planMoves()
    const moving = new Set(moves.values())
    const removals = removed.map(partnerOf).filter((l) => !moving.has(l))
    if (!provable) checkQuotes(oldSource)
    if (provable) checkFormOwners(newSource, texts)
    const touched = provable && touchedControls(oldSource)
    const run = apply(removals)
    wrote = true
    run()
    if (provable) {
      syncForms(newSource, touched)
      extras = 0
      if (!holds(document.documentElement, newSource.documentElement) || extras > known) doubt('the result differs from its source')
    }
    kept = { text: newText, source: newSource }
  }

  // Brings the page from the source that it shows to a new one. Otherwise it has to be reloaded: `reload` says why,
  // and `wrote` whether something was written before that was known.
  const patch = ({ oldText, newText, mode }) => {
    wrote = false
    try {
      attempt(oldText, newText, mode)
      return { done: true }
    } catch (error) {
      kept = null
      return { reload: error?.why ?? `${error}`, wrote }
    }
  }

  return { patch }
})
