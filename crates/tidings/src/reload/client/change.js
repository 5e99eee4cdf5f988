  // ---- what is done about a change -----------------------------------------------------------------

  let reloading = false
  let doing = Promise.resolve() // swaps run one after the other, so that the last one wins

  const seen = (id, did) => {
    try {
      navigator.sendBeacon(seenUrl, JSON.stringify({ id, did }))
    } catch {} // only the server's log is the poorer
  }

  const reload = (id) => {
    if (reloading) return
    reloading = true
    seen(id, 'reload')
    try {
      sessionStorage.setItem(memory, id)
    } catch {}
    // The stream holds one of six connections; the page needs them.
    leave()
    location.reload()
    // Still here? Then somebody chose to stay on the page.
    setTimeout(() => {
      reloading = false
      join()
    }, 5000)
  }

  // Whether the page's address answers with a page at all.
  const isThere = async () => {
    try {
      const headers = { accept: 'text/html' }
      return (await fetch(location.href, { method: 'HEAD', cache: 'no-store', headers })).ok
    } catch {
      return false
    }
  }

  const apply = async (id, changes) => {
    lookAround()
    const mine = changes.filter(concerns)
    if (mine.length === 0 || reloading) return
    // In the place of a page that is not there: look whether it is now. The error page itself may
    // have changed, too.
    const ofThisPage = ({ path }) => path === '/404.html' || used.has(path)
    if (missing && !mine.some(ofThisPage)) return (await isThere()) && reload(id)
    if (mine.every(({ kind }) => kind === 'removed')) {
      // A generator that wipes its output and writes it again: wait for it, then look.
      await new Promise((done) => setTimeout(done, 150))
      return (await isThere()) && reload(id)
    }
    const bust = `${positionOf(id)}-${Date.now()}`
    const swaps = mine.map(({ path, kind }) => (kind === 'removed' ? null : swapOf(path, bust)))
    if (swaps.includes(null)) return reload(id)
    seen(id, mine.every(({ path }) => isSheet(path)) ? 'style' : 'image')
    for (const swap of swaps) await swap()
  }

