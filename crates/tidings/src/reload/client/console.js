  // ---- the page's errors, for the terminal ---------------------------------------------------------
  //
  // They are heard from here on, before any script of the page, and `parts/console.js` sends them. Most are
  // events. What the page says in the console is none, so these two methods are wrapped, and only then. The
  // wrapper does and returns what the original does; it is on the list of scripts that developer tools skip
  // (`client.map`), so that they show where the page has called it.

  const sendsErrors = 'console' in config
  const heard = [] // until that is there
  heard.more = 0
  let hear = (...what) => (heard.length < 50 ? heard.push(what) : heard.more++)
  const sendErrors = (body) => {
    const url = new URL('console', scriptUrl).href
    if (hasMetaPolicy()) return void request(url, { method: 'POST', body, keepalive: true })
    try {
      navigator.sendBeacon(url, body)
    } catch {}
  }
  if (sendsErrors) {
    for (const type of ['error', 'unhandledrejection', 'securitypolicyviolation'])
      addEventListener(type, (e) => hear(type, e), true)
    for (const level of ['error', 'warn']) {
      const original = console[level]
      const wrapper = {
        [level](...said) {
          hear(`console_${level}`, said, new Error().stack)
          return original.apply(this, said)
        },
      }
      try {
        console[level] = wrapper[level]
      } catch {} // it is frozen
    }
  }

