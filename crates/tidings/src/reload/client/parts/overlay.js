// A problem of the backend, shown over the page.
//
// What must stay true: the page notices as little of it as can be. It hangs on the root element, so that
// what replaces the body leaves it alone. Its style sheet is made by a script, which no policy forbids.
// Text is inserted as text. Its keys and clicks are its own, and the focus goes back to where it was.
document[Symbol.for('tidings')].provide('overlay', (natives) => {
  'use strict'
  const { Array, CSSStyleSheet, MutationObserver, Object, String } = natives
  const hasClient = Symbol.for('tidings')
  const dismissedKey = 'tidings dismissed'
  let problem // what is shown, or was dismissed
  let order // has the server do something; undefined where it does nothing for this page
  let overlay = null // while it is shown

  const html = (name, attributes, ...children) => {
    const node = document.createElementNS('http://www.w3.org/1999/xhtml', name)
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value)
    node.append(...children)
    return node
  }

  const spanFor = ([text, style]) => {
    if (!style) return text
    const span = html('span', {}, text)
    for (const name of style.split(' ')) {
      const [, layer, hex, n] = name.match(/^([fb]g)(#.*)?(.*)/) ?? [, name]
      span.classList.add(layer)
      // Bright colours as the others: these are readable on this background.
      if (n) span.style.setProperty(`--${layer}`, `var(--c${n % 8})`)
      if (hex) span.style.setProperty(`--${layer}`, hex)
      if (hex && layer === 'fg') span.classList.add('rgb')
    }
    return span
  }

  // The lines of the file that it is about, as text. As `excerpt` in problem/page.rs.
  const excerptOf = ({ file, line, column, first, lines }) => {
    const place = [file, line, column].filter((part) => part).join(':')
    const numbered = lines.map((text, n) => {
      const row = `${String(first + n).padStart(5)}  ${text}`
      return first + n === line ? html('mark', {}, `${row}\n`) : `${row}\n`
    })
    return [html('figcaption', {}, html('span', { class: 'file' }, place)), html('pre', {}, ...numbered)]
  }

  const contentOf = (frame) => {
    try {
      return frame.contentDocument ?? frame.getSVGDocument?.() ?? null
    } catch {
      return null // of another origin
    }
  }

  // A page in a frame leaves it to the page around it, if that has this script as well.
  const isShownAbove = () => {
    for (let view = window; view !== view.parent; ) {
      view = view.parent
      try {
        if (view.document[hasClient]) return true
      } catch {} // of another origin
    }
    return false
  }

  // The element that has the focus, also in a shadow root or a frame.
  const focused = (root = document) => {
    const node = root.activeElement
    const inner = node?.shadowRoot ?? contentOf(node)
    return inner?.activeElement && inner.activeElement !== inner.body ? focused(inner) : node
  }

  // ---- places in files, opened in the editor

  const quoted = (text) =>
    `"${text.replace(/[^ !#-[\]-~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`

  const ANSWERS = {
    204: 'Opened in the editor.',
    0: 'The server does not answer.',
    403: 'The server refuses: this page is of an earlier run of it, or on another machine.',
    404: 'This is no file of a folder that is watched.',
    429: '',
    501: 'No editor is known: set TIDINGS_EDITOR, to code for example, and start tidings again.',
  }

  const open = async (place, tell) => {
    if (!order) return
    const { file, line, column } = place
    const status = await order(`{"do":"open-in-editor","file":${quoted(file)},"line":${line},"column":${column}}`)
    tell(ANSWERS[status] ?? 'The editor could not be started: see the terminal.')
  }

  // The place that an element is a part of. It may be in several pieces, of different colours.
  const placeOf = (element) => {
    const isFile = (node) => node?.classList?.contains('file')
    let [first, last] = [element, element]
    while (isFile(first.previousSibling)) first = first.previousSibling
    while (isFile(last.nextSibling)) last = last.nextSibling
    let text = ''
    for (let node = first; node !== last.nextSibling; node = node.nextSibling) text += node.textContent
    // As in problem/files.rs.
    const [, file, line, column] = text.match(/^([^]*?)(?:[:(](\d+)(?:[:,](\d+))?\)?)?$/)
    const after = last.nextSibling?.textContent.match(/^(?:", line | on line )(\d+)/)
    return { file, line: line ?? after?.[1] ?? 1, column: column ?? 1 }
  }

  // Makes the places below an element links, and returns them.
  const linkPlaces = (root) => {
    if (!order) return []
    const links = Array.from(root.querySelectorAll('.file'))
    for (const link of links) {
      link.classList.add('link')
      link.title = 'Open in the editor'
    }
    // No more than one wants to go through with the keyboard.
    const some = links.slice(0, 20)
    for (const link of some) {
      link.setAttribute('role', 'link')
      link.tabIndex = 0
    }
    return some
  }

  // In a page that is about the problem itself.
  const link = (theirs) => {
    order = theirs
    linkPlaces(document.body)
    const note = document.querySelector('.foot')
    document.body.addEventListener('click', ({ target }) => {
      if (target.classList.contains('link')) open(placeOf(target), (text) => (note.textContent = text))
    })
    document.body.addEventListener('keydown', (e) => {
      if (e.key === 'Enter' && e.target.classList.contains('link')) e.target.click()
    })
  }

  // ---- the overlay itself

  const openOverlay = () => {
    const host = html('tidings-overlay', { lang: 'en', dir: 'ltr' })
    const root = host.attachShadow({ mode: 'open' })
    try {
      const sheet = new CSSStyleSheet()
      sheet.replaceSync(problemStyle)
      root.adoptedStyleSheets = [sheet]
    } catch {
      root.append(html('style', {}, problemStyle)) // an old browser
    }
    const title = html('h1', { id: 'title' })
    const output = html('pre', { tabindex: 0, role: 'region', 'aria-label': 'Output' })
    const close = html('button', { type: 'button' }, 'Dismiss', html('kbd', { 'aria-hidden': true }, 'Esc'))
    const note = html('p', { id: 'note', role: 'status' })
    const foot = html('div', { class: 'foot' }, note, close)
    const figure = html('figure', {})
    const labels = { role: 'alertdialog', 'aria-modal': true, 'aria-labelledby': 'title', 'aria-describedby': 'note' }
    const dialog = html('dialog', { class: 'scrim', tabindex: -1, ...labels }, html('div', { class: 'panel' }, title, figure, output, foot))
    dialog.addEventListener('cancel', (e) => (e.preventDefault(), dismissProblem()))
    root.append(dialog)
    // Whatever replaces the document's content takes it away as well.
    const observer = new MutationObserver(() => host.isConnected || (attached++ < 20 && attach()))
    let attached = 0
    const attach = () => {
      dialog.removeAttribute('open')
      document.documentElement.append(host)
      for (const node of [document, document.documentElement]) observer.observe(node, { childList: true })
      // Above the dialogs of the page. Where one is modal, the page is inert up to another modal one.
      dialog.popover = 'manual'
      dialog.showPopover?.()
      dialog.focus({ preventScroll: true })
      if (root.activeElement === dialog) return
      dialog.removeAttribute('popover')
      dialog.showModal?.()
    }
    let stops = [] // what can have the focus, in order
    const [node, selection] = [focused(), document.getSelection()]
    const { anchorNode, anchorOffset, focusNode, focusOffset } = selection ?? {}
    attach()
    overlay = {
      host,
      fill: () => {
        title.textContent = problem.title
        note.textContent = 'This goes away by itself as soon as it is mended.'
        figure.replaceChildren(...(problem.excerpt ? excerptOf(problem.excerpt) : []))
        output.replaceChildren(...problem.text.map(spanFor))
        // What a program says last is why it has ended; of a build, the first error matters.
        output.scrollTop = problem.kind === 'build_failed' ? 0 : output.scrollHeight
        stops = [output, ...linkPlaces(figure), ...linkPlaces(output), close]
      },
      // Whether nothing is above it, such as a dialog that the page has opened since.
      isOnTop: () => document.elementFromPoint(window.innerWidth / 2, window.innerHeight / 2) === host,
      isButton: (target) => close.contains(target),
      openPlace: (target) =>
        target.classList.contains('link') && open(placeOf(target), (text) => (note.textContent = text)),
      // The element with the focus.
      focused: () => root.activeElement,
      moveFocus: (step) => {
        const at = stops.indexOf(root.activeElement)
        // At first to the button.
        stops.at(at < 0 ? -1 : (at + step) % stops.length).focus()
      },
      remove: () => {
        observer.disconnect()
        const hadFocus = [host, document.body, null].includes(document.activeElement)
        host.remove()
        if (!hadFocus || !node?.isConnected) return
        node.focus({ preventScroll: true })
        // A text field keeps its own.
        if ('selectionStart' in node || !anchorNode?.isConnected || !focusNode.isConnected) return
        selection.setBaseAndExtent(anchorNode, anchorOffset, focusNode, focusOffset)
      },
    }
  }

  const closeOverlay = () => {
    overlay?.remove()
    overlay = null
  }

  const dismissProblem = () => {
    closeOverlay()
    try {
      sessionStorage.setItem(dismissedKey, problem.id)
    } catch {} // then it is shown again after a reload
  }

  const isDismissed = () => {
    try {
      return sessionStorage.getItem(dismissedKey) === problem.id
    } catch {
      return false
    }
  }

  const show = (current, theirs) => {
    problem = current
    order = theirs
    if (!problem || isDismissed() || isShownAbove()) return closeOverlay()
    // A root element of HTML can have it.
    if (!document.documentElement?.attachShadow) return natives.console.error(`tidings: ${problem.title}`)
    if (!overlay) openOverlay()
    overlay.fill()
  }

  // ---- the overlay's keys and clicks

  let heldKey = null // down since a key press of the overlay's
  const intercept = (e) => {
    const { type, key, target } = e
    const isDown = type === 'keydown'
    const isEscape = key === 'Escape' && !e.isComposing
    const isOwn = overlay && (target === overlay.host || (isEscape && overlay.isOnTop()))
    // The rest of the key press that has dismissed it is not the page's, either.
    const isHeld = key && key === heldKey && (!isDown || e.repeat)
    if (isDown) heldKey = isOwn || isHeld ? key : null
    if (!isOwn && !isHeld) return
    e.stopImmediatePropagation()
    if (type === 'keyup') heldKey = null
    if (!overlay) e.preventDefault()
    else if (isDown && (isEscape || key === 'Tab')) {
      e.preventDefault()
      isEscape ? dismissProblem() : overlay.moveFocus(e.shiftKey ? -1 : 1)
    } else if (isDown && key === 'Enter') overlay.openPlace(overlay.focused() ?? overlay.host)
    else if (type === 'click') overlay.isButton(e.composedPath()[0]) ? dismissProblem() : overlay.openPlace(e.composedPath()[0])
  }

  return { show, link, intercept }
})
