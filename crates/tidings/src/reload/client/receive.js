  // ---- receiving events ----------------------------------------------------------------------------

  const receive = ({ id, data }) => {
    if (!isNew(id)) return
    cursor = id
    retryNow()
    const message = JSON.parse(data)
    const before = timestamp
    const sameNames = !tree || !message.tree || message.tree === tree
    const unchanged = sameNames && (message.timestamp === timestamp || message.timestamp === newest)
    timestamp = message.timestamp
    newest = message.newest ?? message.timestamp
    tree = message.tree
    if (message.rescan) return reload(id)
    if (message.changes) {
      swapping = swapping.then(() => apply(id, message.changes)).catch(() => reload(id))
    } else if (before !== null && !unchanged) {
      // The status of a server that does not know this page's cursor: something has changed.
      missing ? apply(id, [{ path: '', kind: 'modified' }]) : reload(id)
    }
  }

