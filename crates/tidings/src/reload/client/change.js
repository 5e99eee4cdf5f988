  // ---- what is done about a change -----------------------------------------------------------------

  let reloading = false
  let doing = Promise.resolve() // swaps run one after the other, so that the last one wins

  const seen = (id, did) => {
    // By hand: some libraries teach strings a `toJSON` of their own.
    const body = `{"id":"${id}","did":"${did}"}`
    // Only the server's log is the poorer where this fails.
    if (policy) return request(seenUrl.href, { method: 'POST', body, keepalive: true }).catch(() => {})
    try {
      navigator.sendBeacon(seenUrl, body)
    } catch {}
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
      return await request(location.href, { method: 'HEAD', cache: 'no-store', headers })
    } catch {
      return false
    }
  }

  // Returns how to show a file anew in place, or null where only a reload will do.
  const swapOf = ({ path, kind }, bust, around) => {
    if (kind === 'removed' || framedFiles(around).has(path)) return null
    if (isSheet(path)) return swapSheet(path, bust, around)
    return isImage(path) ? swapImage(path, bust, around) : null
  }

  const apply = async (id, changes) => {
    if (reloading) return
    const around = lookAround()
    const used = filesUsed(around)
    const unseen = new Set(changes.filter((change) => isUsedUnseen(change, id, around, used)))
    const mine = changes.filter((change) => concerns(change, unseen.has(change), used))
    if (mine.length === 0) return
    // In the place of a page that is not there: look whether it is now. The error page itself may
    // have changed, too.
    const ofThisPage = ({ path }) => path === '/404.html' || used.has(path)
    if (missing && !mine.some(ofThisPage)) return (await isThere()) && reload(id)
    if (mine.every(({ kind }) => kind === 'removed')) {
      // A generator that wipes its output and writes it again: wait for it, then look.
      await new Promise((done) => setTimeout(done, 150))
      return (await isThere()) && reload(id)
    }
    if (mine.some((change) => unseen.has(change))) return reload(id)
    const bust = `${positionOf(id)}-${Date.now()}`
    // Images first, so that a sheet that comes anew gets their new addresses.
    const images = mine.filter(({ path }) => isImage(path))
    const ordered = [...images, ...mine.filter((change) => !images.includes(change))]
    const swaps = ordered.map((change) => swapOf(change, bust, around))
    if (swaps.includes(null)) return reload(id)
    seen(id, images.length > 0 ? 'image' : 'style')
    for (const swap of swaps) await swap()
  }

