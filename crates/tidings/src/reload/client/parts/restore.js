// Puts back after a reload of ours what the browser does not: scrolled boxes, focus and caret, what was typed
// or chosen, and opened <details>.
//
// What must stay true
// - Only the same element gets it: by its path and its kind. In doubt, none does.
// - Nothing is written over what the browser or the page has put there itself.
// - A secret is neither stored nor put back.
// - The page is told nothing: no `input` or `change` event, which might submit a form. That is also how
//   browsers restore.
document[Symbol.for('tidings')].provide('restore', (natives) => {
  'use strict'
  const { Array, Date, Element, JSON, Map, Math, Number, Object, WeakSet, addEventListener, performance, setTimeout } = natives

  const FIELDS = 'input, select, textarea'
  const LIMIT = 1000 // of each kind
  const EXPIRES = 600_000 // ms; a backend may be built in between
  const TRIES = [0, 100, 500, 1500] // ms after the load: some pages are filled by their scripts

  // A form returns its control of that name as a property; the prototype's methods are safe.
  const { getAttribute } = Element.prototype
  const attribute = (element, name) => getAttribute.call(element, name) ?? ''

  // ---- which element

  const kindOf = (element) => {
    const { localName: tag } = element
    const type = tag === 'input' ? element.type : ''
    const option = /^(radio|checkbox)$/.test(type) ? attribute(element, 'value') : ''
    return [tag, type, attribute(element, 'name'), option].join('|')
  }

  const anchorOf = (element) => {
    const id = attribute(element, 'id')
    if (id) return `#${id}`
    return attribute(element, 'name') && element.matches(FIELDS) ? `=${kindOf(element)}` : null
  }

  // For a document or shadow root: anchor -> element, or null where it is not unique.
  let anchors = new Map()
  const anchorsIn = (root) => {
    if (!anchors.has(root)) {
      const found = new Map()
      for (const element of root.querySelectorAll('[id], [name]')) {
        const anchor = anchorOf(element)
        if (anchor) found.set(anchor, found.has(anchor) ? null : element)
      }
      anchors.set(root, found)
    }
    return anchors.get(root)
  }

  const alike = (parent, tag) => Array.from(parent.children).filter(({ localName }) => localName === tag)

  // From the document, or what is nearest of those with an anchor, to the element. Each step says how many
  // elements of that name there are: with one more it may be another one.
  const pathOf = (element) => {
    const steps = []
    for (let node = element; node.nodeType === 1; ) {
      const anchor = anchorOf(node)
      const isAnchored = anchor && anchorsIn(node.getRootNode()).get(anchor) === node
      const parent = node.parentNode
      if (isAnchored) steps.unshift(anchor)
      else {
        const same = alike(parent, node.localName)
        steps.unshift(`${node.localName}:${same.indexOf(node)}:${same.length}`)
      }
      // Within a shadow root, also its host must be the same.
      const root = node.getRootNode()
      if (root.host && (isAnchored || parent === root)) {
        steps.unshift('^')
        node = root.host
      } else if (isAnchored) break
      else node = parent
    }
    return steps
  }

  const find = ([steps, kind]) => {
    let node = document
    for (const step of steps) {
      if (step === '^') node = node.shadowRoot
      else if (/^[#=]/.test(step)) node = anchorsIn(node.getRootNode()).get(step)
      else {
        const [tag, index, count] = step.split(':')
        const same = alike(node, tag)
        node = same.length === Number(count) ? same[index] : null
      }
      if (!node) return null
    }
    return kindOf(node) === kind ? node : null
  }

  const placeOf = (element) => [pathOf(element), kindOf(element)]

  function* rootsIn(root) {
    yield root
    for (const { shadowRoot } of root.querySelectorAll('*')) if (shadowRoot) yield* rootsIn(shadowRoot)
  }

  const collect = (select, note) => {
    const found = []
    for (const root of rootsIn(document)) {
      for (const element of root.querySelectorAll(select)) {
        const noted = found.length < LIMIT && note(element)
        if (noted) found.push([placeOf(element), noted])
      }
    }
    return found
  }

  // ---- fields

  let secrets = new WeakSet() // fields that were of type `password` at some time: some pages show it on request

  const isSecret = (field) => {
    if (secrets.has(field)) return true
    const off = (element) => element && attribute(element, 'autocomplete').trim().toLowerCase() === 'off'
    // WHATWG HTML 4.10.18.7.2: what is "off" is not to be remembered, and is reset when a document is
    // shown again. A field that shows a password for once is a text field.
    if (off(field) || (off(field.form) && !attribute(field, 'autocomplete'))) return true
    const names = ['autocomplete', 'name', 'id'].map((name) => attribute(field, name)).join(' ')
    return (
      /^(password|hidden|file|submit|image|reset|button)$/.test(field.type) ||
      /(?<![a-z])(pass|psw|pw|mdp|senha)(?![a-z])|pass(wor[dt]|wd|code|phrase)|pwd|username|one[-_]?time|\botp|\bcc-|card|cvc|cvv|\bpin\b|secret|token|api[-_]?key|iban/i.test(names)
    )
  }

  const isChecked = ({ type }) => type === 'checkbox' || type === 'radio'

  // What the source says is chosen: the last of those that it marks, or else the first one.
  const defaultsOf = (select) => {
    const options = Array.from(select.options)
    const marked = options.filter((option) => option.defaultSelected)
    if (select.multiple) return marked
    const first = select.size > 1 ? [] : options.filter((option) => !option.disabled).slice(0, 1)
    return marked.length > 0 ? marked.slice(-1) : first
  }

  const isTouched = (field) => {
    if (field.localName === 'select') {
      const defaults = defaultsOf(field)
      return Array.from(field.options).some((option) => option.selected !== defaults.includes(option))
    }
    if (isChecked(field)) return field.checked !== field.defaultChecked
    // Some types make another value of the attribute's.
    return field.value !== field.defaultValue && field.value !== sanitised(field)
  }

  const sanitised = (field) => {
    if (field.localName !== 'input') return field.defaultValue
    const copy = field.ownerDocument.createElement('input')
    for (const name of ['type', 'min', 'max', 'step']) {
      if (field.hasAttribute(name)) copy.setAttribute(name, attribute(field, name))
    }
    copy.defaultValue = field.defaultValue
    return copy.value
  }

  const textOf = (option) => `${option.value}\n${option.text}`

  const valueOf = (field) => {
    if (isSecret(field) || !isTouched(field)) return null
    if (field.localName === 'select') return { chosen: Array.from(field.selectedOptions, textOf) }
    return isChecked(field) ? { checked: field.checked } : { text: field.value }
  }

  const setValue = (field, { chosen, checked, text }) => {
    if (isSecret(field) || isTouched(field)) return
    if (chosen) {
      const options = Array.from(field.options)
      if (!chosen.every((wanted) => options.some((option) => textOf(option) === wanted))) return
      for (const option of options) option.selected = chosen.includes(textOf(option))
    } else if (checked !== undefined) field.checked = checked
    else field.value = text
  }

  // ---- focus and caret

  const focused = (root) => {
    const inner = root.activeElement?.shadowRoot
    return inner?.activeElement ? focused(inner) : root.activeElement
  }

  const caretOf = (field) => {
    try {
      const { selectionStart: start, selectionEnd: end, selectionDirection: direction } = field
      if (start !== null && start !== undefined && !isSecret(field)) return [start, end, direction]
    } catch {} // a kind of field without
    return null
  }

  const setFocus = (element, caret) => {
    const now = focused(document)
    // The page has given it to another one.
    if (now && now !== element && now !== document.body && !now.autofocus) return
    element.focus({ preventScroll: true })
    if (caret && caretOf(element)) element.setSelectionRange(...caret)
  }

  // ---- scrolled boxes

  const isScroller = (element) => element === document.scrollingElement || element === document.body

  // Tells whether it is there: what makes it high enough may be loading.
  const scroll = (element, [left, top]) => {
    element.scrollTo({ left, top, behavior: 'instant' })
    return Math.abs(element.scrollTop - top) < 2 && Math.abs(element.scrollLeft - left) < 2
  }

  // ---- all of it

  const now = (openAtFirst) => {
    anchors = new Map()
    const active = focused(document)
    return {
      at: Date.now(),
      fields: collect(FIELDS, valueOf),
      details: collect('details', (details) => {
        const wasOpen = openAtFirst.has(details)
        return details.open !== wasOpen && { wasOpen }
      }),
      boxes: collect('*', (element) => {
        const { scrollLeft, scrollTop } = element
        return (scrollLeft || scrollTop) && !isScroller(element) && [scrollLeft, scrollTop]
      }),
      focus:
        active && active !== document.body && document.hasFocus()
          ? [[placeOf(active), { caret: caretOf(active) }]]
          : [],
    }
  }

  // How each of these is put back; tells whether there is nothing left to do for it.
  const ways = {
    details: (details, { wasOpen }) => {
      if (details.open === wasOpen) details.open = !wasOpen
      return true
    },
    fields: (field, value) => {
      setValue(field, value)
      return true
    },
    boxes: scroll,
    focus: (element, { caret }) => {
      setFocus(element, caret)
      return true
    },
  }

  const change = (storage, key, edit) => {
    const states = JSON.parse(storage.getItem(key) ?? '{}')
    const result = edit(states)
    if (Object.keys(states).length > 0) storage.setItem(key, JSON.stringify(states))
    else storage.removeItem(key)
    return result
  }

  // Frames of one address share the storage: each has its own place in it.
  const forget = (storage, key, frame) =>
    change(storage, key, (states) => {
      const state = states[frame]
      delete states[frame]
      return state
    })

  const keep = (storage, key, frame, seen) => {
    secrets = seen.secrets
    const state = now(seen.openAtFirst)
    change(storage, key, (states) => (states[frame] = state))
  }

  const restore = (storage, key, frame) => {
    const state = forget(storage, key, frame)
    const [navigation] = performance.getEntriesByType('navigation')
    if (!state || Date.now() - state.at > EXPIRES || navigation?.type !== 'reload') return
    let isOver = false
    // From then on the user goes on.
    for (const type of ['pointerdown', 'keydown', 'wheel', 'touchstart']) {
      addEventListener(type, ({ isTrusted }) => (isOver ||= isTrusted), { capture: true, passive: true })
    }
    const attempt = () => {
      anchors = new Map()
      for (const [name, put] of Object.entries(ways)) {
        state[name] = state[name].filter(([place, value]) => {
          const element = !isOver && find(place)
          return !isOver && !(element && put(element, value))
        })
      }
    }
    attempt()
    const later = () => TRIES.forEach((ms) => setTimeout(attempt, ms))
    if (document.readyState === 'complete') later()
    else addEventListener('load', later, { once: true })
  }

  return { keep, forget, restore }
})
