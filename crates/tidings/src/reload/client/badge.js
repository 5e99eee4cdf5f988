  // ---- the badge -----------------------------------------------------------------------------------
  //
  // `parts/badge.js` shows it. What was done about the last change is kept over the reload that was done.

  let badge = null // the part, once it is shown
  const recall = (key) => {
    try {
      return sessionStorage.getItem(key)
    } catch {} // it may be forbidden
  }
  const keep = (key, text) => {
    try {
      sessionStorage.setItem(key, text)
    } catch {}
  }
  const lastKey = `${storageKey} last`
  let last = {} // { paths, at, did, why }
  try {
    last = JSON.parse(recall(lastKey)) ?? last
  } catch {} // it is the page's

  const tellBadge = ({ changes, did, why }) => {
    if (changes) last = { paths: changes.map(({ path }) => path), at: Date.now() }
    if (did) last = { ...last, did, why }
    badge?.show()
  }
  addEventListener('pagehide', () => last.at && keep(lastKey, JSON.stringify(last)))

  const badgeKey = 'tidings badge'
  const wantsBadge = () => (recall(badgeKey) ?? ('badge' in config ? 'on' : 'off')) === 'on'
  const isConnected = () => request(readyUrl.href, { method: 'HEAD', cache: 'no-store' })
  const showBadge = async (opened) => {
    try {
      const make = await part('badge')
      badge ??= make({ state: () => ({ paused, last }), order: config.token && order, isConnected, keep, badgeKey })
      badge.show(opened)
    } catch {} // a policy forbids it
  }

  // Whether a key press types a character.
  const isField = (node) =>
    node.isContentEditable ||
    document.designMode === 'on' ||
    /^(input|textarea|select)$/i.test(node.localName) ||
    // What is in a closed shadow root is not to be seen.
    (/-/.test(node.localName) && !node.shadowRoot) ||
    node.closest?.('[role=textbox]')
  addEventListener('keydown', (e) => {
    const { key, ctrlKey, metaKey, altKey } = e
    if (key !== '?' || ctrlKey || metaKey || altKey || isField(e.composedPath()[0])) return
    // After the listeners of the page, which may have a use for it.
    setTimeout(() => {
      if (!e.defaultPrevented) badge?.isShown() ? badge.hide() : (keep(badgeKey, 'on'), showBadge(true))
    })
  })

