  // ---- receiving events ----------------------------------------------------------------------------

  const receive = ({ id, data }) => {
    if (!isNew(id)) return
    const isKnown = sameLog(id, cursor)
    cursor = id
    // The server was restarted, and does not know this page.
    if (!isKnown) tell({ did: 'open' })
    const message = JSON.parse(data)
    if (message.call) answer(id)
    if (message.ask) {
      const would = (would, why = '') => tell({ id, did: 'would', would, why })
      apply(id, message.ask, would).catch(() => would('reload'))
    }
    if (!message.changes) setProblem(message.problem)
    paused = message.paused
    tellBadge(message)
    retryNow()
    const before = timestamp
    const sameNames = !tree || !message.tree || message.tree === tree
    // Without a timestamp the server is still walking over the files, and tells it when it is done.
    const isWalking = message.timestamp === undefined
    const unchanged = isWalking || (sameNames && [timestamp, newest].includes(message.timestamp))
    if (!isWalking) {
      timestamp = message.timestamp
      newest = message.newest ?? message.timestamp
      tree = message.tree
    }
    if (message.rescan || awaitsBackend) return reload(id)
    if (message.changes || message.restarted) {
      swapping = swapping.then(() => apply(id, message.changes ?? everything())).catch(() => reload(id))
    } else if (before !== null && !unchanged) {
      // The status of a server that does not know this page's cursor: something has changed.
      missing ? apply(id, [{ path: '', kind: 'modified' }]) : reload(id)
    }
  }

