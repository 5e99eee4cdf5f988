  // ---- hearing -------------------------------------------------------------------------------------

  const hear = ({ id, data }) => {
    if (!isNews(id)) return
    at = id
    lookAgain()
    const told = JSON.parse(data)
    const before = timestamp
    const sameNames = !tree || !told.tree || told.tree === tree
    const unchanged = sameNames && (told.timestamp === timestamp || told.timestamp === newest)
    timestamp = told.timestamp
    newest = told.newest ?? told.timestamp
    tree = told.tree
    if (told.rescan) return reload(id)
    if (told.changes) {
      doing = doing.then(() => apply(id, told.changes)).catch(() => reload(id))
    } else if (before !== null && !unchanged) {
      // The status of a server that does not know what this page has heard: something has changed.
      missing ? apply(id, [{ path: '', kind: 'modified' }]) : reload(id)
    }
  }

