  // ---- the live page, compared with a source -------------------------------------------------------

  let provable
  let partners // the live node of each node of a source, as far as asked for

  const mayBeOpen = (element) => /^(details|dialog)$/.test(element.localName)
  const isEditable = (element) => /^(|true|plaintext-only)$/i.test(element.getAttribute('contenteditable') ?? 'false')
  const isKept = (element) => element.getAttribute('data-tidings') === 'keep'

  // A swap of a file has added its version to the address.
  const isSwapped = (value, l) => {
    if (!l?.includes('tidings=')) return false
    try {
      const url = new URL(l)
      url.searchParams.delete('tidings')
      return url.href === new URL(value, document.baseURI).href
    } catch {
      return false
    }
  }

  const attributeOf = (element, { namespaceURI, localName }) => element.getAttributeNS(namespaceURI, localName)

  // Nodes, attributes and classes in the page that are not in the source. They came from an extension, the user, or what
  // runs only for the user.
  let extras
  let closed // what the user has closed, of which the source says that it is open
  let wrote // whether it is compared with the result

  const hasAttributes = (s, l) => {
    for (const attribute of l.attributes) if (attributeOf(s, attribute) === null) extras += 1
    return Array.from(s.attributes).every((attribute) => {
      const { name, value } = attribute
      const is = attributeOf(l, attribute)
      if (is === value || name === 'nonce' || isSwapped(value, is)) return true
      if (name === 'open' && mayBeOpen(s)) return wrote ? closed.has(l) : closed.add(l)
      extras += 1
      return name === 'class' && is?.startsWith(`${value} `)
    })
  }

  // Whether all of a source is in the page, in order.
  const holds = (l, s) => {
    if (isEqual(s, l)) return true
    const before = extras
    const isHeld =
      s.nodeType === 1 &&
      s.localName === l.localName &&
      s.namespaceURI === l.namespaceURI &&
      hasAttributes(s, l) &&
      (isKept(s) ||
        isEditable(s) ||
        ((!contentOf(s) || isEqual(s.content, l.content)) && embed([...s.childNodes], [...l.childNodes]) !== null))
    if (!isHeld) extras = before
    return isHeld
  }

  // The live nodes that a list of nodes of a source is in.
  const embed = (sources, lives) => {
    if (sources.length === lives.length) return sources.every((s, i) => holds(lives[i], s)) ? lives : null
    let at = 0
    const found = []
    for (const s of sources) {
      while (at < lives.length && !holds(lives[at], s)) at += 1
      if (at === lives.length) return null
      found.push(lives[at++])
    }
    extras += lives.length - sources.length
    return found
  }

  // Finds the partners of the children of `s`, whose own is `l`.
  const align = (s, l) => {
    const isSame = s.childNodes.length === l.childNodes.length
    if (isSame && (provable || isEqual(s, l) || [...s.childNodes].every((a, i) => identityOf(a) === identityOf(l.childNodes[i])))) {
      for (let [a, b] = [s.firstChild, l.firstChild]; a; [a, b] = [a.nextSibling, b.nextSibling]) partners.set(a, b)
      return
    }
    const sources = [...s.childNodes]
    const lives = [...l.childNodes]
    if (provable) {
      const found = embed(sources, lives) ?? doubt('the page differs from its source')
      sources.forEach((s, i) => partners.set(s, found[i]))
    } else {
      const pairs = new Map()
      for (const s of sources) partners.set(s, null)
      match(lives, sources, pairs, true, new Set())
      for (const [s, l] of pairs) partners.set(s, l)
    }
  }

  const partnerOf = (s) => {
    if (!partners.has(s)) align(s.parentNode, partnerOf(s.parentNode))
    return partners.get(s) ?? doubt('scripts have changed the page where it was edited')
  }

