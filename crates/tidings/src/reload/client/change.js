  // ---- what is done about a change -----------------------------------------------------------------

  let reloading = false
  let retryNow = () => {} // ends the pause of a reload that waits for the server
  let swapping = Promise.resolve() // swaps run one after the other, so that the last one wins

  const report = (id, action) => {
    // By hand: some libraries teach strings a `toJSON` of their own.
    const body = `{"id":"${id}","did":"${action}"}`
    // If this fails, only the line that the server prints is wrong.
    if (hasPolicy()) return void request(reportUrl.href, { method: 'POST', body, keepalive: true })
    try {
      navigator.sendBeacon(reportUrl, body)
    } catch {}
  }

  // The status that the page's address is answered with; 0 while the server or the backend is away. Where
  // the server itself does not answer either, the page may have all connections in use, and a reload frees
  // them: 200.
  const statusOfPage = () => {
    const url = new URL(location.href)
    url.username = url.password = url.hash = '' // fetch refuses the first two
    const headers = { accept: 'text/html' }
    const status = request(url.href, { method: 'HEAD', cache: 'no-store', headers })
    const ownStatus = () => Promise.race([request(scriptUrl, { method: 'HEAD', cache: 'no-store' }).then(() => status), delay(3000).then(() => 200)])
    return Promise.race([status, delay(3000).then(ownStatus)])
  }

  // Whether the page stays: its file is gone, and there is an event when it is back. A page whose address
  // a script has changed may have no file there.
  const shouldStay = (status) => status === 404 && file && addresses.has(pathOf(location.href))

  const reload = async (id, changes = []) => {
    if (reloading) return
    reloading = true
    // Navigating to a server that is away would end on the browser's own error page, where nothing
    // listens. So the page stays until there is an answer, and goes on listening.
    for (let pause = 50; ; pause = Math.min(RETRY_LIMIT, pause * 1.5)) {
      const asked = cursor
      const status = await statusOfPage()
      if (!shouldStay(status)) {
        if (status) break
        const event = new Promise((done) => (retryNow = done))
        await Promise.race([event, delay(pause)])
      } else if (cursor === asked) {
        reloading = false
        return
      }
    }
    await refreshServed(changes)
    report(id, 'reload')
    reloadNow()
  }

  const reloadNow = () => {
    try {
      sessionStorage.setItem(storageKey, cursor)
    } catch {}
    // The stream is one of six connections that the browser has for this server.
    leave()
    location.reload()
    // The user may choose to stay on the page (`beforeunload`).
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

  // Returns a function that updates the uses of a file in place, or null where only a reload will do.
  const planSwap = ({ path, kind }, version, scan, used) => {
    if (any) path = servedPath(path, used)
    if (!path || kind === 'removed' || framedFiles(scan).has(path)) return null
    if (isSheet(path)) return swapSheet(path, version, scan)
    return isImage(path) ? swapImage(path, version, scan) : null
  }

  const apply = async (id, changes) => {
    if (reloading) return
    const scan = scanDocuments()
    const used = filesUsed(scan)
    const usedElsewhere = new Set(changes.filter((change) => isUsedElsewhere(change, id, scan, used)))
    const mine = changes.filter((change) => concerns(change, usedElsewhere.has(change), used))
    if (mine.length === 0) return
    // A 404 page: check whether the file is there now. The error page itself may have changed, too.
    const ofThisPage = ({ path }) => path === '/404.html' || used.has(path)
    if (missing && !mine.some(ofThisPage)) return (await isThere()) && reload(id)
    if (mine.every(({ kind }) => kind === 'removed')) {
      // A generator that wipes its output and writes it again: wait for it, then check.
      await delay(150)
      return (await isThere()) && reload(id, mine)
    }
    if (mine.some((change) => usedElsewhere.has(change))) return reload(id, mine)
    const version = `${positionOf(id)}-${Date.now()}`
    // Images first, so that a reloaded sheet gets their new addresses.
    const images = mine.filter(({ path }) => isImage(path))
    const ordered = [...images, ...mine.filter((change) => !images.includes(change))]
    const swaps = ordered.map((change) => planSwap(change, version, scan, used))
    if (swaps.includes(null) || !(await refreshServed(mine))) return reload(id, mine)
    report(id, images.length > 0 ? 'image' : 'style')
    for (const swap of swaps) await swap()
  }

