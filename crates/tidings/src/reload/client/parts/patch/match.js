  // ---- which nodes of two lists are the same -------------------------------------------------------

  let hasTemplates // whether a source has any: then `isEqualNode` is not enough
  let identities
  let keys

  // Only templates of HTML have it, and a <meta> has a `content` of another kind.
  const contentOf = (node) => (node.localName === 'template' && node.content) || null

  const templatesIn = (node) => {
    const inside = Array.from(node.querySelectorAll?.('template') ?? [])
    return node.localName === 'template' ? [node, ...inside] : inside
  }

  // DOM 4.4: `isEqualNode` does not look into the content of templates.
  const isEqual = (a, b) => {
    if (!a.isEqualNode(b)) return false
    if (!hasTemplates) return true
    const others = templatesIn(b)
    return templatesIn(a).every((template, i) => !contentOf(template) || isEqual(template.content, others[i].content))
  }

  const remembered = (map, node, make) => {
    let value = map.get(node)
    if (value === undefined) map.set(node, (value = make(node)))
    return value
  }

  // Attributes whose change makes another element of it: a field with what was typed must not become another
  // field, and a browser loads frames and media anew for these.
  const IDENTIFYING = 'id is name type srcdoc sandbox allow data rel as crossorigin integrity'.split(' ')

  const READ_WHEN_MADE = 'muted autoplay allowfullscreen referrerpolicy credentialless'.split(' ')

  // Two nodes may become each other only if these are equal.
  const identityOf = (node) =>
    remembered(identities, node, () => {
      if (node.nodeType !== 1) return `${node.nodeType}`
      const name = node.localName
      if (/^(html|head|body)$/.test(name)) return name
      if (/^(object|embed|source|track|picture)$/.test(name)) return node.outerHTML
      const values = IDENTIFYING.map((attribute) => node.getAttribute(attribute))
      if (name !== 'img') values.push(node.getAttribute('src'))
      if (name === 'option') values.push(node.getAttribute('value'))
      if (/^(audio|video)$/.test(name)) values.push(node.innerHTML)
      // What counts only when the element is made, or loads something.
      if (/^(audio|video|iframe)$/.test(name)) for (const once of READ_WHEN_MADE) values.push(node.getAttribute(once))
      // Not by `join`, for which an empty one is as none.
      return `${node.namespaceURI} ${name} ${values.map((value) => `${value}`)}`
    })

  const FIELDS = 'input,textarea,select,[contenteditable]'

  // Nodes with an equal key are the same wherever they are: an id, or else what is in them, and which fields. The
  // default of a field says nothing: where two swap theirs, what the user has set must not change places.
  const keyOf = (node) =>
    remembered(keys, node, () => {
      if (node.nodeType !== 1) return node.data.trim() && node.nodeType + node.data
      if (node.getAttribute('id')) return identityOf(node)
      const isField = /^(input|option)$/.test(node.localName)
      const attributes = Array.from(node.attributes)
        .filter(({ name }) => !isField || !/^(value|checked|selected)$/.test(name))
        .map(({ name, value }) => `${name}=${value}`)
      const inside = node.localName === 'template' ? [node.innerHTML] : [node.textContent, ...Array.from(node.querySelectorAll(FIELDS), identityOf)]
      return [identityOf(node), ...attributes.sort(), ...inside].join('\n')
    })

  const hasFields = (node) => node.nodeType === 1 && (node.matches(FIELDS) || node.querySelector(FIELDS))

  // Pairs the first node with a key with the first of the other list, and so on.
  const pairBy = (a, b, key, isSure) => {
    const found = new Map()
    ;[a, b].forEach((list, side) =>
      list.forEach((node, i) => {
        const value = key(node)
        if (value) remembered(found, value, () => [[], []])[side].push(i)
      }),
    )
    const pairs = []
    for (const [left, right] of found.values()) {
      if (left.length !== right.length && (isSure || (left.length && hasFields(a[left[0]])))) continue
      for (let i = 0; i < left.length && i < right.length; i++) pairs.push([left[i], right[i]])
    }
    return pairs.sort((x, y) => x[1] - y[1])
  }

  // The longest rising run of numbers, as a set of indices.
  const longestRise = (numbers) => {
    const ends = []
    const previous = []
    numbers.forEach((number, i) => {
      let low = 0
      let high = ends.length
      while (low < high) {
        const middle = (low + high) >> 1
        if (numbers[ends[middle]] < number) low = middle + 1
        else high = middle
      }
      previous[i] = ends[low - 1]
      ends[low] = i
    })
    const rise = new Set()
    for (let i = ends.at(-1); i !== undefined; i = previous[i]) rise.add(i)
    return rise
  }

  // Puts the nodes of `b` that have one in `a` into `pairs`, with that, and those that are seen to be equal into
  // `same`. With `isSure`, pairs only those that have no rival.
  const match = (a, b, pairs, isSure, same) => {
    let start = 0
    let endA = a.length
    let endB = b.length
    const pair = (left, right) => {
      pairs.set(right, left)
      same.add(right)
    }
    while (start < endA && start < endB && isEqual(a[start], b[start])) pair(a[start], b[start++])
    while (endA > start && endB > start && isEqual(a[endA - 1], b[endB - 1])) pair(a[--endA], b[--endB])
    matchRest(a.slice(start, endA), b.slice(start, endB), pairs, isSure, same)
  }

  // The same for lists of which neither the first nor the last two are equal.
  const matchRest = (a, b, pairs, isSure, same) => {
    if (!a.length || !b.length) return
    // They may be the bodies of large documents, whose keys are long.
    if (a.length === 1 && b.length === 1) return void (identityOf(a[0]) === identityOf(b[0]) && pairs.set(b[0], a[0]))
    const anchors = pairBy(a, b, keyOf, true)
    if (!anchors.length) {
      for (const [i, j] of pairBy(a, b, identityOf, isSure)) pairs.set(b[j], a[i])
      return
    }
    const rise = longestRise(anchors.map(([i]) => i))
    const taken = new Set()
    for (const [i, j] of anchors) {
      pairs.set(b[j], a[i])
      taken.add(a[i]).add(b[j])
    }
    const isFree = (node) => !taken.has(node)
    let [fromA, fromB] = [0, 0]
    for (const [i, j] of [...anchors.filter((_, at) => rise.has(at)), [a.length, b.length]]) {
      match(a.slice(fromA, i).filter(isFree), b.slice(fromB, j).filter(isFree), pairs, isSure, same)
      ;[fromA, fromB] = [i + 1, j + 1]
    }
  }

