  // ---- what forms hold -----------------------------------------------------------------------------
  //
  // What the user has chosen or typed stays. Every other control gets what a load would give it: attributes
  // that are set one after the other do not always end there (two radio buttons with `checked`).

  // What is in a kept element may be anything.
  const controlsOf = (source) => source.querySelectorAll(':is(input,textarea,option):not([data-tidings=keep] *)')
  const fieldOf = ({ localName, type }) =>
    localName === 'option' ? 'selected' : /^(checkbox|radio)$/.test(type) ? 'checked' : 'value'

  // Where a form is not closed in the element that it was opened in, as between the rows of a table, the parser
  // gives it fields that are not in it (HTML 13.2.6.1). DOMParser does not tell, and whoever moves elements cannot do it.
  const checkFormOwners = (source, [oldText, newText]) => {
    const tags = (text) => `${text.match(/<\/?[a-z]+/gi)}`
    if (tags(oldText) === tags(newText)) return
    const owned = 'input,textarea,select,button,output,fieldset,object'
    const why = 'a form is not closed where it was opened'
    for (const { form } of document.querySelectorAll(`:is(${owned}):not(form *,[form])`)) if (form) doubt(why)
    const forms = source.querySelectorAll('form').length
    if (!forms || !source.querySelector(`:is(${owned}):not(form *)`)) return
    const marked = parse(newText.replace(/<\/form/gi, '<!--/form-->$&'))
    const comments = marked.createTreeWalker(marked, 128)
    let closed = 0
    while (comments.nextNode()) {
      const { data, parentElement } = comments.currentNode
      if (data === '/form' && parentElement?.closest('form')) closed += 1
    }
    if (closed !== forms) doubt(why)
  }

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
    // Twice: where one of a group is set, others change.
    for (const isLast of [false, true]) {
      for (const n of controlsOf(source)) {
        const l = partnerOf(n)
        const field = fieldOf(n)
        const isGrouped = l.localName === 'option' || l.type === 'radio'
        const isUsers = isGrouped ? chosen.some((other) => isSameGroup(l, other)) : touched.has(l)
        const wanted = isUsers ? (touched.get(l) ?? l[field]) : n[field]
        if (l[field] === wanted || l.type === 'file') continue
        if (isLast) doubt('a field has not taken its value')
        l[field] = wanted
      }
    }
  }

