  // ---- parts of this script that few pages need ----------------------------------------------------
  //
  // Each is a file beside this one, and calls `provide(name, make)`; `make` gets the browser's APIs as they were
  // before any script of the page ran. It must take functions out of that object before it calls them.

  const makers = {}
  const parts = {}
  Object.defineProperty(document, hasClient, {
    value: { provide: (name, make) => (makers[name] = make) },
  })

  // Loads a part, once. Fails where it cannot be loaded: a policy of the page may forbid that.
  const part = (name) =>
    (parts[name] ??= new Promise((done, failed) => {
      const element = document.createElement('script')
      const url = new URL(scriptUrl.split(/[&#]/)[0])
      url.pathname = url.pathname.replace(/[^/]*$/, `${name}.js`)
      element.src = trusted(url.href)
      element.nonce = script.nonce
      element.onload = () => {
        element.remove()
        makers[name] ? done(makers[name](natives)) : failed(new Error(name))
      }
      element.onerror = () => {
        element.remove()
        delete parts[name]
        failed(new Error(name))
      }
      ;(document.head ?? document.documentElement).append(element)
    }))

