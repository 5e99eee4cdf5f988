  // ---- parts of this script that few pages need ----------------------------------------------------
  //
  // Each is a file beside this one, and calls `provide(name, make)`; `make` gets the browser's APIs as they were
  // before any script of the page ran. It must take functions out of that object before it calls them.

  const makers = {}
  const parts = {}
  Object.defineProperty(document, hasClient, {
    value: { provide: (name, make) => (makers[name] = make) },
  })

  // Loads a part, once. Fails where it cannot be loaded: a policy of the page may forbid that. Imported, because a
  // script element would show in the page's document, and needs a policy of its own where there are Trusted Types;
  // and an import has the nonce of this script.
  const part = (name) =>
    (parts[name] ??= import(scriptUrl.split(/[&#]/)[0].replace(/[^/]*(?=\?|$)/, `${name}.js`)).then(
      () => makers[name](natives),
      (error) => {
        delete parts[name]
        throw error
      },
    ))

