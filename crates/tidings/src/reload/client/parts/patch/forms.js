  // ---- what forms hold -----------------------------------------------------------------------------
  //
  // What the user has chosen or typed stays. Every other control gets what a load would give it: attributes
  // that are set one after the other do not always end there (two radio buttons with `checked`).

  const controlsOf = (source) => source.querySelectorAll('input,textarea,option')
  const fieldOf = ({ localName, type }) =>
    localName === 'option' ? 'selected' : /^(checkbox|radio)$/.test(type) ? 'checked' : 'value'

  // The controls that the user has changed, and what they hold.
  const touchedControls = (source) => {
    const touched = new Map()
    for (const o of controlsOf(source)) {
      const l = partnerOf(o)
      const field = fieldOf(o)
      if (l[field] !== o[field]) touched.set(l, l[field])
    }
    return touched
  }

  // Controls of which one at most is chosen, or which are chosen together.
  const isSameGroup = (a, b) =>
    a.localName === 'option'
      ? a.closest('select') === b.closest('select')
      : a.type === 'radio' && b.type === 'radio' && a.name === b.name && a.form === b.form

  const syncForms = (source, touched) => {
    const chosen = [...touched.keys()].filter((l) => l.isConnected && (fieldOf(l) !== 'value' && touched.get(l)))
    for (const n of controlsOf(source)) {
      const l = partnerOf(n)
      const field = fieldOf(n)
      const isGrouped = l.localName === 'option' || l.type === 'radio'
      const isUsers = isGrouped ? chosen.some((other) => isSameGroup(l, other)) : touched.has(l)
      const wanted = isUsers ? (touched.get(l) ?? l[field]) : n[field]
      if (l[field] !== wanted && l.type !== 'file') l[field] = wanted
    }
    for (const l of chosen) if (!l[fieldOf(l)]) l[fieldOf(l)] = true
  }

