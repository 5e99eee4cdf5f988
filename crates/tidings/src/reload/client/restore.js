  // ---- what the user was doing, over a reload ------------------------------------------------------
  //
  // The part `restore` keeps it in the session storage just before a reload of ours, and puts back what the
  // browser does not. A page in place of another one leaves it for that.

  const stateKey = `${storageKey} state`
  const openAtFirst = new WeakSet() // <details> elements
  const secrets = new WeakSet() // fields for a password, which the page may show later
  let keepState = () => {}
  let forgetState = () => {}

  const loadRestorer = async () => {
    if (config.restore === 'off' || !sessionStorage) return null
    const { keep, forget, restore } = await part('restore')
    keepState = () => keep(sessionStorage, stateKey, frameIndex, { openAtFirst, secrets })
    forgetState = () => forget(sessionStorage, stateKey, frameIndex)
    return () => restore(sessionStorage, stateKey, frameIndex)
  }

  const parsed = new Promise((done) => {
    if (document.readyState !== 'loading') done()
    else document.addEventListener('DOMContentLoaded', done, { once: true })
  }).then(() => {
    document.querySelectorAll('details[open]').forEach((details) => openAtFirst.add(details))
    document.querySelectorAll('input[type=password i]').forEach((field) => secrets.add(field))
  })
  addEventListener('focusin', ({ target }) => target?.type === 'password' && secrets.add(target), true)

  queueMicrotask(async () => {
    try {
      if (awaitsBackend || missing || !sessionStorage?.getItem(stateKey)) return
      const restore = await loadRestorer()
      await parsed
      restore?.()
    } catch {} // what is lost is no more than by a reload of the browser
  })

