  // ---- a problem of the backend, shown over the page -----------------------------------------------
  //
  // What must stay true: the page notices as little of it as can be. It hangs on the root element, so that
  // what replaces the body leaves it alone. Its style sheet is made by a script, which no policy forbids.
  // Text is inserted as text. Its keys and clicks are its own, and the focus goes back to where it was.

  // The problem that the server has; undefined where there is none.
  let currentProblem = config.problem && JSON.parse(config.problem)
  script.removeAttribute('data-problem')
  const dismissedKey = 'tidings dismissed'
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
    const foot = html('div', { class: 'foot' }, html('p', { id: 'note' }, 'This goes away by itself as soon as it is mended.'), close)
    const labels = { role: 'alertdialog', 'aria-modal': true, 'aria-labelledby': 'title', 'aria-describedby': 'note' }
    const dialog = html('dialog', { class: 'scrim', tabindex: -1, ...labels }, html('div', { class: 'panel' }, title, output, foot))
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
    const [node, selection] = [focused(), document.getSelection()]
    const { anchorNode, anchorOffset, focusNode, focusOffset } = selection ?? {}
    attach()
    overlay = {
      host,
      fill: () => {
        title.textContent = currentProblem.title
        output.replaceChildren(...currentProblem.text.map(spanFor))
        // What a program says last is why it has ended; of a build, the first error matters.
        output.scrollTop = currentProblem.kind === 'build_failed' ? 0 : output.scrollHeight
      },
      // Whether nothing is above it, such as a dialog that the page has opened since.
      isOnTop: () => document.elementFromPoint(window.innerWidth / 2, window.innerHeight / 2) === host,
      isButton: (target) => close.contains(target),
      // There are two places for the focus.
      moveFocus: () => (root.activeElement === close ? output : close).focus(),
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
      sessionStorage.setItem(dismissedKey, currentProblem.id)
    } catch {} // then it is shown again after a reload
  }

  const isDismissed = () => {
    try {
      return sessionStorage.getItem(dismissedKey) === currentProblem.id
    } catch {
      return false
    }
  }

  const showProblem = () => {
    if (!currentProblem || isDismissed() || isShownAbove()) return closeOverlay()
    // A root element of HTML can have it.
    if (!document.documentElement?.attachShadow) return console.error(`tidings: ${currentProblem.title}`)
    if (!overlay) openOverlay()
    overlay.fill()
    watchKeys()
  }

  // A page that stands for one of the backend shows the problem itself.
  const setProblem = (problem) => {
    const before = currentProblem
    currentProblem = problem
    if (problem?.id === before?.id) return
    if (!awaitsBackend) showProblem()
    else if (problem) reloadNow()
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
      isEscape ? dismissProblem() : overlay.moveFocus()
    } else if (type === 'click' && overlay.isButton(e.composedPath()[0])) dismissProblem()
  }
  const ownEvents = 'keydown keyup keypress pointerdown pointerup mousedown mouseup click dblclick focusin'.split(' ')
  const watchKeys = () => ownEvents.forEach((type) => addEventListener(type, intercept, true))
  watchKeys() // before the listeners of the page
