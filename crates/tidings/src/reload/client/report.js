  // ---- what the server is told of this page --------------------------------------------------------
  //
  // Where it fails, only what the server prints and what `tidings wait` says is wrong.

  let told = 0 // reports may overtake each other
  const errors = [] // of the page, since the last change or since it was loaded

  // By hand: some libraries teach strings a `toJSON` of their own.
  const escaped = (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`
  const quoted = (text) => `"${text.slice(0, 400).replace(/[^ -~]|["\\]/g, escaped)}"`

  const reportOf = (fields) => {
    let body = `{"page":"${pageId}","was":"${was}","n":${++told},"at":${quoted(location.pathname)}`
    for (const [name, value] of Object.entries(fields)) {
      body += `,"${name}":${Array.isArray(value) ? `[${value.map(quoted)}]` : typeof value === 'string' ? quoted(value) : value}`
    }
    return body + (hasMetaPolicy() ? ',"mute":true}' : '}')
  }
  const send = (body, later) => {
    // One in the response's head admits our own addresses.
    if (hasMetaPolicy() || later) return request(reportUrl.href, { method: 'POST', body, keepalive: true, later })
    try {
      navigator.sendBeacon(reportUrl, body)
    } catch {}
  }
  const tell = (fields, later) => send(reportOf(fields), later)

  // Two frames later it is on the screen. In the background there are no frames.
  const frame = () => new Promise((done) => requestAnimationFrame(done))
  const isPainted = () =>
    document.visibilityState === 'visible' && Promise.race([frame().then(frame).then(() => true), delay(500).then(() => false)])

  // Tells what was done about an event: call it when that is done, or just before the page reloads. In the background
  // it can wait a little: other pages, which may be visible, have it to do too.
  const report = async (id, did, why = '') => {
    const done = performance.now()
    if (did !== 'none') tellBadge({ id, did, why })
    const painted = did !== 'reload' && (await isPainted())
    const later = did === 'reload' || isVisible() ? 0 : 50
    return tell({ id, did, why, painted, took: Math.round(performance.now() - done) + later, errors }, later)
  }

  const whenLoaded = new Promise((done) =>
    document.readyState === 'complete' ? done() : addEventListener('load', done, { once: true }),
  )

  // Answers a roll call, as soon as the page shows every change before it. While it reloads, the page that comes
  // next has to answer; where there is nothing to load, it says that.
  const answer = async (id) => {
    await whenLoaded
    const before = swapping
    const isDone = () => Promise.race([before.then(() => !reloading || delay(50)), delay(50)])
    // Not at once: the event has made the page ask for the backend again.
    while (!(await isDone())) if (isHeld) return tell({ id, did: 'held' })
    report(id, 'none')
  }

  const addError = (textOf) => {
    try {
      if (errors.length < 10) errors.push(`${textOf()}`)
    } catch {} // it cannot be made a text
  }
  addEventListener(
    'error',
    ({ message, filename, lineno, colno, target }) => {
      const url = target?.src || target?.href
      if (message) addError(() => `${message}${filename ? ` (${filename}:${lineno}:${colno})` : ''}`)
      else if (typeof url === 'string') addError(() => `cannot load ${url}`)
    },
    true,
  )
  addEventListener('unhandledrejection', ({ reason }) => addError(() => reason?.stack ?? reason))

