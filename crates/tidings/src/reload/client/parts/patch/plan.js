  // ---- what has to be done -------------------------------------------------------------------------
  //
  // Nothing is written here, and all live nodes are found here: later the lists of children are no longer those of
  // the old source.

  let edits // of text and attributes: functions
  let edited // what these texts and values were
  let insertions // new nodes, with the live parent, and the node before: live, or a new one that is inserted as well
  let removed // old nodes
  let moves // live nodes for new ones

  const planAttribute = (o, n, l, attribute) => {
    const [was, is, now] = [o, n, l].map((element) => attributeOf(element, attribute))
    if (was === is || attribute.name === 'nonce') return
    const isOpen = attribute.name === 'open' && mayBeOpen(o)
    let value = is
    if (now !== was && !isOpen && !isSwapped(was, now)) {
      // Classes that were added stay.
      const old = was ?? ''
      if (attribute.name !== 'class' || !(now ?? '').startsWith(old)) doubt(`${attribute.name} of an edited element was changed`)
      value = `${is ?? ''} ${now.slice(old.length).trim()}`.trim()
    }
    if (was !== null) edited.push(was)
    edits.push(() => {
      if (value === null || (value === '' && is === null)) return l.removeAttributeNS(attribute.namespaceURI, attribute.localName)
      const fresh = attribute.cloneNode()
      fresh.value = value
      l.setAttributeNode(fresh)
    })
  }

  // Only the part that differs is replaced: a caret or selection in the rest stays.
  const planText = (was, is, l) => {
    if (l.data !== was) doubt('an edited text was changed')
    edited.push(was)
    let start = 0
    while (start < was.length && was[start] === is[start]) start += 1
    let end = 0
    while (end < was.length - start && end < is.length - start && was.at(-1 - end) === is.at(-1 - end)) end += 1
    edits.push(() => l.replaceData(start, was.length - end - start, is.slice(start, is.length - end)))
  }

  const plan = (o, n, l) => {
    if (o.nodeType !== 1) return void planText(o.data, n.data, l)
    for (const attribute of n.attributes) planAttribute(o, n, l, attribute)
    for (const attribute of o.attributes) if (attributeOf(n, attribute) === null) planAttribute(o, n, l, attribute)
    if (contentOf(n) && !isEqual(o.content, n.content)) {
      if (!provable) doubt('a template was edited, and it has scripts')
      edits.push(() => l.content.replaceChildren(document.importNode(n.content, true)))
    }
    planChildren(o, n, l)
  }

  // The children without those at the beginning and the end that are equal, which may be thousands. `previous` is
  // the old one before them.
  const differingChildren = (o, n) => {
    let [a, b] = [o.firstChild, n.firstChild]
    while (a && b && isEqual(a, b)) [a, b] = [a.nextSibling, b.nextSibling]
    const previous = a ? a.previousSibling : o.lastChild
    const [before, after] = [a, b].map((node) => {
      const rest = []
      for (; node; node = node.nextSibling) rest.push(node)
      return rest
    })
    while (before[0] && after[0] && (before[1] || after[1]) && isEqual(before.at(-1), after.at(-1))) {
      before.pop()
      after.pop()
    }
    return { before, after, previous }
  }

  const planChildren = (o, n, l) => {
    const { before, after, previous } = differingChildren(o, n)
    if (!before.length && !after.length) return
    const pairs = new Map()
    const same = new Set()
    matchRest(before, after, pairs, false, same)
    if (isKept(o) || isKept(n)) doubt('what says data-tidings="keep" was edited')
    if (isEditable(o) && ![...o.childNodes].every((node, i) => l.childNodes[i] && isEqual(node, l.childNodes[i]))) {
      doubt('the user has changed what was edited')
    }
    const positions = new Map(before.map((node, i) => [node, i]))
    const paired = after.filter((node) => pairs.has(node))
    const rise = longestRise(paired.map((node) => positions.get(pairs.get(node))))
    const staying = new Set(paired.filter((_, i) => rise.has(i)))
    if (!provable && (staying.size < after.length || staying.size < before.length)) {
      doubt('elements were added, removed or moved, and it has scripts')
    }
    // Not compared again: the two have been seen to differ.
    const isAlone = before.length === 1 && after.length === 1
    after.forEach((node, i) => {
      const old = pairs.get(node)
      if (!staying.has(node)) {
        const last = after[i - 1]
        const lastOld = i === 0 ? previous : staying.has(last) && pairs.get(last)
        insertions.push({ n: node, l, last: lastOld ? partnerOf(lastOld) : last })
        if (old) moves.set(node, partnerOf(old))
      }
      if (old && !same.has(node) && (isAlone || !isEqual(old, node))) plan(old, node, partnerOf(old))
    })
    const used = new Set(pairs.values())
    for (const node of before) if (!used.has(node)) removed.push(node)
  }

  // Elements that are cut out in one place and appear in another are moved there: wrapped, unwrapped, or dragged
  // to another parent. They keep their state.
  const planMoves = () => {
    const free = new Map() // elements that are cut out, with their keys
    const byKey = new Map()
    let known = 0
    const learn = () => {
      for (; known < removed.length; known++) {
        if (removed[known].nodeType !== 1) continue
        for (const element of [removed[known], ...removed[known].querySelectorAll('*')]) {
          free.set(element, true)
          remembered(byKey, keyOf(element), () => []).push(element)
        }
      }
    }
    const claim = (n) => {
      if (n.nodeType !== 1) return
      const o = byKey.get(keyOf(n))?.find((element) => free.has(element))
      if (!o) {
        for (const child of n.childNodes) claim(child)
        return
      }
      for (const element of [o, ...o.querySelectorAll('*')]) free.delete(element)
      for (let parent = o.parentNode; parent; parent = parent.parentNode) free.delete(parent)
      moves.set(n, partnerOf(o))
      if (!isEqual(o, n)) plan(o, n, partnerOf(o))
      learn()
    }
    if (!removed.length) return
    learn()
    for (let i = 0; i < insertions.length; i++) if (!moves.has(insertions[i].n)) claim(insertions[i].n)
  }

