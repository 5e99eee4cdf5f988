  // ---- what the user was doing, over a reload ------------------------------------------------------
  //
  // The part `restore` keeps it in the session storage just before a reload of ours, and puts back what the
  // browser does not. A page in place of another one leaves it for that.

  const stateKey = `${storageKey} state`
  const openAtFirst = new WeakSet() // <details> elements
  let keepState = () => {}
  let forgetState = () => {}

  const loadRestorer = async () => {
    if (config.restore === 'off' || !sessionStorage) return null
    const { keep, forget, restore } = await part('restore')
    keepState = () => keep(sessionStorage, stateKey, openAtFirst)
    forgetState = () => forget(sessionStorage, stateKey)
    return () => restore(sessionStorage, stateKey)
  }

  const parsed = new Promise((done) => {
    if (document.readyState !== 'loading') done()
    else document.addEventListener('DOMContentLoaded', done, { once: true })
  }).then(() => document.querySelectorAll('details[open]').forEach((details) => openAtFirst.add(details)))

  queueMicrotask(async () => {
    try {
      if (awaitsBackend || missing || !sessionStorage?.getItem(stateKey)) return
      const restore = await loadRestorer()
      await parsed
      restore?.()
    } catch {} // what is lost is no more than by a reload of the browser
  })

