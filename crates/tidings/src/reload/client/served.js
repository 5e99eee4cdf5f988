  // ---- pages of a backend --------------------------------------------------------------------------
  //
  // Which file an address is answered with is the backend's secret. A file that is saved under
  // `shop/static/shop/site.css` is taken to be `/static/shop/site.css?v=3`: the whole path of the address is
  // the end of the path of the file, and no other address in use has that name. Then the page requests the
  // sheet or image anew. All other changes reload the page.
  //
  // Where this is wrong, the page shows what the backend answers to the same address now, which is at worst
  // what it showed before. Two things stay old until the next reload, and no page can see them: a copy of the
  // sheet that the backend has put into the page itself, and one in a bundle that it makes for each request.
  // Bundles that a build writes are files, whose changes are reported as well if they are watched.

  const servedPath = (path, used) => {
    const sameName = [...used].filter((other) => nameOf(other) === nameOf(path))
    return sameName.length === 1 && `/${path.replace(/^\//, '')}`.endsWith(sameName[0]) ? sameName[0] : null
  }

  // Has the cache hold all that the page has loaded under the names of these files as it is now: a backend may
  // let browsers keep it, and a reload would take it from there. Tells whether all of it is there. (Where a
  // policy leaves it to the worker, Chromium may still take a script from the memory of the page.)
  // After a restart of the backend the browser asks for all of it anyway.
  const refreshServed = async (changes) => {
    if (!any || changes.some(({ path }) => !path)) return true
    const names = new Set(changes.map(({ path }) => nameOf(path)))
    const loaded = performance.getEntriesByType('resource').map((entry) => unversioned(entry.name))
    const urls = new Set(loaded.filter((url) => pathOf(url) && names.has(nameOf(pathOf(url)))))
    const refreshOne = async (url) => {
      if (!hasPolicy()) return refresh(url)
      const status = await request(url, { cache: 'reload' })
      return status >= 200 && status < 300
    }
    const refreshed = Promise.all(Array.from(urls, refreshOne))
    return (await Promise.race([refreshed, delay(3000).then(() => [false])])).every(Boolean)
  }

