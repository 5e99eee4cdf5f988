  // ---- what is done about a change -----------------------------------------------------------------

  let reloading = false
  let lookAgain = () => {} // of a reload that waits for the server: there has been an event
  let doing = Promise.resolve() // swaps run one after the other, so that the last one wins

  const seen = (id, did) => {
    // By hand: some libraries teach strings a `toJSON` of their own.
    const body = `{"id":"${id}","did":"${did}"}`
    // Only the server's log is the poorer where this fails.
    if (policy) return void request(seenUrl.href, { method: 'POST', body, keepalive: true })
    try {
      navigator.sendBeacon(seenUrl, body)
    } catch {}
  }

  // The status that the page's address is answered with; 0 while the server is away. Where there is no
  // answer for long, the page itself may have all connections in use, and a reload frees them: 200.
  const statusOfPage = () => {
    const url = new URL(location.href)
    url.username = url.password = url.hash = '' // fetch refuses the first two
    const headers = { accept: 'text/html' }
    const status = request(url.href, { method: 'HEAD', cache: 'no-store', headers })
    return Promise.race([status, delay(3000).then(() => 200)])
  }

  // Whether the page is better kept than reloaded: its file is gone, and will be told of when it is back.
  // A page that a script has given another address may have none there.
  const keeps = (status) => status === 404 && file && addresses.has(pathOf(location.href))

  const reload = async (id) => {
    if (reloading) return
    reloading = true
    // Navigating to a server that is away would end on the browser's own error page, where nothing
    // listens. So the page stays until there is an answer, and goes on listening.
    for (let pause = 50; ; pause = Math.min(RETRY_LIMIT, pause * 1.5)) {
      const asked = at
      const status = await statusOfPage()
      if (!keeps(status)) {
        if (status) break
        const event = new Promise((done) => (lookAgain = done))
        await Promise.race([event, delay(pause)])
      } else if (at === asked) {
        reloading = false
        return
      }
    }
    seen(id, 'reload')
    try {
      sessionStorage.setItem(memory, at)
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
    const status = await statusOfPage()
    return status >= 200 && status < 400
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
      await delay(150)
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

