// A badge in the corner of the page: whether the server is there, what was done about the last change, and why;
// pausing, and going on.
//
// What must stay true: it is seen and used without a mouse and without colours, takes no focus by itself, and its
// keys and clicks are its own.
document[Symbol.for('tidings')].provide('badge', (natives) => (page) => {
  'use strict'
  const { CSSStyleSheet, Date, MutationObserver, Object, setTimeout } = natives
  const INTERVAL = 2000 // ms between two looks whether the server is there

  const html = (name, attributes, ...children) => {
    const node = document.createElementNS('http://www.w3.org/1999/xhtml', name)
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value)
    node.append(...children)
    return node
  }

  const DONE = {
    style: 'the style was swapped in place',
    image: 'the image was swapped in place',
    media: 'the media was swapped in place',
    patch: 'the page was patched in place',
    reload: 'the page was reloaded',
    none: 'nothing to do here',
  }

  const host = html('tidings-badge', { lang: 'en', dir: 'ltr' })
  const root = host.attachShadow({ mode: 'open' })
  try {
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(badgeStyle)
    root.adoptedStyleSheets = [sheet]
  } catch {
    root.append(html('style', {}, badgeStyle)) // an old browser
  }
  const state = html('span', { class: 'state', role: 'status' })
  const pill = html('button', { type: 'button', class: 'pill', 'aria-controls': 'panel' }, html('span', { class: 'dot' }), state)
  const what = html('p', { class: 'what' })
  const why = html('p', { class: 'why' })
  const note = html('p', { class: 'note', role: 'status' })
  const pause = html('button', { type: 'button', class: 'pause' })
  const hide = html('button', { type: 'button' }, 'Hide')
  const panel = html('div', { id: 'panel', class: 'panel' }, what, why, note, html('div', { class: 'buttons' }, pause, hide))
  const box = html('div', { class: 'badge', role: 'region', 'aria-label': 'tidings' }, pill, panel)
  root.append(box)

  let isOpen = false // whether all of it is shown
  let status = 200 // of the last look
  let attached = 0
  const observer = new MutationObserver(() => host.isConnected || (attached++ < 20 && attach()))
  const attach = () => {
    document.documentElement.append(host)
    for (const node of [document, document.documentElement]) observer.observe(node, { childList: true })
    // Above the dialogs of the page.
    box.popover = 'manual'
    box.showPopover?.()
  }

  const name = (path) => (path === '/' ? 'the folder' : path.replace(/^\//, ''))

  const fill = () => {
    const { paused, last } = page.state()
    const isPaused = paused !== undefined
    const held = paused === 1 ? '1 change is held' : `${paused} changes are held`
    const text = status === 0 ? 'Not connected' : isPaused ? `Paused: ${held}` : 'Connected'
    // What is the same is not read out again.
    if (state.textContent !== text) state.textContent = text
    box.classList.toggle('away', status === 0)
    box.classList.toggle('held', status !== 0 && isPaused)
    const { paths = [], at, did, why: reason } = last
    const files = paths.slice(0, 3).map(name).join(', ') + (paths.length > 3 ? ` and ${paths.length - 3} more` : '')
    const time = at ? new Date(at).toLocaleTimeString() : ''
    what.textContent = at ? `Last change: ${files || 'everything'}, ${time}` : 'Nothing has changed yet.'
    const done = DONE[did] ?? 'not used by this page'
    why.textContent = at ? `${done[0].toUpperCase()}${done.slice(1)}${reason ? `: ${reason}` : ''}.` : ''
    pause.textContent = isPaused ? 'Go on' : 'Pause'
    pause.hidden = !page.order
    panel.hidden = !isOpen
    pill.setAttribute('aria-expanded', isOpen)
  }

  let timer
  const look = async () => {
    clearTimeout(timer)
    if (!host.isConnected) return
    if (document.visibilityState === 'visible') {
      status = await page.isConnected()
      fill()
    }
    timer = setTimeout(look, INTERVAL)
  }

  const isShown = () => host.isConnected
  const close = () => {
    observer.disconnect()
    host.remove()
    page.keep(page.badgeKey, 'off')
  }
  const show = (open) => {
    if (open !== undefined) isOpen = open
    fill()
    if (open !== undefined || !attached) {
      if (isShown()) return
      attached++
      attach()
      look()
    }
  }

  const change = async () => {
    const isPaused = page.state().paused !== undefined
    const answer = await page.order(isPaused ? '{"do":"resume"}' : '{"do":"pause"}')
    note.textContent =
      answer === 204 ? '' : answer === 403 ? 'This page is of an earlier run of the server: reload it.' : 'The server does not answer.'
  }

  pill.addEventListener('click', () => {
    isOpen = !isOpen
    fill()
  })
  pause.addEventListener('click', change)
  hide.addEventListener('click', close)
  box.addEventListener('keydown', ({ key }) => key === 'Escape' && (isOpen = false, fill(), pill.focus()))
  for (const type of 'keydown keyup keypress pointerdown pointerup mousedown mouseup click dblclick'.split(' '))
    host.addEventListener(type, (e) => e.stopPropagation())

  return { show, hide: close, isShown }
})
