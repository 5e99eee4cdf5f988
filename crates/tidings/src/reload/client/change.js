  // ---- what is done about a change -----------------------------------------------------------------

  let reloading = false
  let owesReload = false // one was given up: something that the page uses is older than its source may be
  let isHeld = false // its reload waits for a backend that is not there
  let retryNow = () => {} // ends the pause of a reload that waits for the server
  let swapping = Promise.resolve() // swaps run one after the other, so that the last one wins

  // The status that the page's address is answered with; less than 1 while the server or the backend is
  // away. For a page of a backend the server tells whether that is there: it may take long to make a page, and
  // log each request. Where the server itself does not answer, the page may have all connections in use, and
  // a reload frees them: 200.
  let canAskServer = any
  const statusOfPage = async () => {
    const url = new URL(location.href)
    url.username = url.password = url.hash = '' // fetch refuses the first two
    const head = (url) => request(url, { method: 'HEAD', cache: 'no-store', headers: { accept: 'text/html' } })
    const status = head(canAskServer ? readyUrl.href : url.href)
    const isConnected = () => Promise.race([head(scriptUrl).then(() => status), delay(3000).then(() => 200)])
    const result = await Promise.race([status, delay(3000).then(isConnected)])
    if (!canAskServer || result !== 404) return result
    canAskServer = false
    return statusOfPage()
  }

  // Whether the page stays: its file is gone, and there is an event when it is back. A page whose address
  // a script has changed may have no file there.
  const shouldStay = (status) => status === 404 && file && addresses.has(pathOf(location.href))

  const reload = async (id, changes = [], why) => {
    if (reloading) return
    reloading = owesReload = true
    // Navigating to a server that is away would end on the browser's own error page, where nothing
    // listens. So the page stays until there is an answer, and goes on listening.
    for (let pause = 50; ; pause = Math.min(RETRY_LIMIT, pause * 1.5)) {
      const asked = cursor
      isHeld = false
      const status = await statusOfPage()
      if (status > 0 && !shouldStay(status)) break
      if (cursor !== asked) continue
      if (status > 0) {
        reloading = false
        return
      }
      isHeld = status < 0
      const pauses = [new Promise((done) => (retryNow = done))]
      // A page in place of one of the backend does not ask again by itself: that may be what ends the backend.
      if (status === 0 || !awaitsBackend) pauses.push(delay(pause))
      await Promise.race(pauses)
    }
    const canKeep = loadRestorer().catch(() => {})
    await refreshServed(changes)
    // With the page its worker ends, which may be what sends the report.
    const ready = [canKeep, report(id, 'reload', why)]
    await Promise.race([Promise.all(ready), delay(300)])
    reloadNow()
  }

  const reloadNow = () => {
    reloading = true
    try {
      sessionStorage.setItem(storageKey, cursor)
    } catch {}
    try {
      keepState()
    } catch {} // a strange page
    // The stream is one of six connections that the browser has for this server.
    leave()
    location.reload()
    // The user may choose to stay on the page (`beforeunload`).
    setTimeout(() => {
      reloading = false
      forgetState()
      join()
    }, 5000)
  }

  // Whether the page's address answers with a page at all.
  const isThere = async () => {
    const status = await statusOfPage()
    return status >= 200 && status < 400
  }

  // With `ask` nothing is done: that is told what would be.
  const apply = async (id, changes, ask) => {
    if (reloading) return
    const again = (mine, why) => (ask ? ask('reload', why) : reload(id, mine, why))
    const scan = scanDocuments()
    const used = filesUsed(scan)
    const usedElsewhere = new Set(changes.filter((change) => isUsedElsewhere(change, id, scan, used)))
    const mine = changes.filter((change) => concerns(change, usedElsewhere.has(change), used))
    if (mine.length === 0) return ask?.('none')
    // A 404 page: check whether the file is there now. The error page itself may have changed, too.
    const ofThisPage = ({ path }) => path === '/404.html' || used.has(path)
    if (missing && !mine.some(ofThisPage)) return ask ? ask('reload') : (await isThere()) && reload(id)
    const others = mine.filter((change) => !isOfPage(change, used, scan))
    if (mine.every(({ kind }) => kind === 'removed')) {
      owesReload ||= !ask && others.length > 0
      // A generator that wipes its output and writes it again: wait for it, then check.
      await delay(150)
      return (await isThere()) && reload(id, mine)
    }
    if (mine.some((change) => usedElsewhere.has(change))) return again(mine)
    const version = `${positionOf(id)}-${Date.now()}`
    let planned = await planUpdates(others, version, scan, used)
    const isPatch = others.length < mine.length
    // A patch for an earlier change has got the newest source.
    const isPatched = !isPatch || !isAfter(id, patchedTo)
    let why = planned.why ?? (isPatched ? null : whyNotPatched())
    if (why !== null || !(ask || (await refreshServed(others)))) return again(mine, why ?? '')
    if (ask) return ask(isPatch ? 'patch' : planned.did)
    errors.length = 0
    if (!isPatched) {
      why = await patchPage(id, mine)
      if (why !== null) return reload(id, mine, why)
      // It may use other files now.
      if (others.length > 0) planned = await planUpdates(others, version, scanDocuments(), used)
      why = planned.why
      if (why !== null) return reload(id, mine, why)
    }
    for (const update of planned.updates) await update()
    report(id, isPatch ? 'patch' : planned.did)
  }
