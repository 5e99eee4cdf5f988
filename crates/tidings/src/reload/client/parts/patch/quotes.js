  // ---- what scripts may have made of the edited text -----------------------------------------------

  const plain = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, ' ').trim()

  // Texts and attribute values of the page that are not in its source.
  const madeTexts = (o, l, made) => {
    if (isEqual(o, l)) return
    if (o.nodeType !== 1) return void made.push(l.data)
    for (const attribute of l.attributes) if (attributeOf(o, attribute) !== attribute.value) made.push(attribute.value)
    align(o, l)
    const known = new Set()
    for (const child of o.childNodes) {
      const partner = partners.get(child)
      if (!partner) continue
      known.add(partner)
      madeTexts(child, partner, made)
    }
    for (const child of l.childNodes) {
      if (known.has(child)) continue
      made.push(child.textContent)
      if (child.nodeType !== 1) continue
      for (const element of [child, ...child.querySelectorAll('*')]) for (const { value } of element.attributes) made.push(value)
    }
  }

  const checkQuotes = (oldSource) => {
    const made = []
    madeTexts(oldSource.documentElement, document.documentElement, made)
    for (const l of document.querySelectorAll('input,textarea')) if (l.value !== l.defaultValue) made.push(l.value)
    const texts = made.map(plain)
    for (const text of edited.map(plain)) {
      if (text && texts.some((made) => made.includes(text))) doubt('a script has used the edited text elsewhere')
    }
  }

