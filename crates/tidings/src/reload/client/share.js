  // ---- sharing it ----------------------------------------------------------------------------------

  let following = false // another page has the stream, and has told this one what it had missed

  const ask = () => {
    clearTimeout(waiting)
    channel.postMessage({ want: at, by: me })
    // Nobody answers: then this page has a stream of its own.
    waiting = setTimeout(() => stream || connect(), 2000)
  }

  const onChannel = ({ data }) => {
    if (data.lead && !release) {
      following = false
      ask()
    } else if (data.want && release) {
      // Another page has come. It gets what it has missed, then hears what all hear.
      if (!sameLog(data.want, from)) return channel.postMessage({ to: data.by, alone: true })
      if (positionOf(data.want) < positionOf(from)) {
        connect(data.want)
        return channel.postMessage({ to: data.by, messages: [] })
      }
      const messages = history.filter(({ id }) => positionOf(id) > positionOf(data.want))
      channel.postMessage({ to: data.by, messages })
    } else if (data.to === me && !release) {
      clearTimeout(waiting)
      if (data.alone) {
        leaveLobby()
        return stream || connect()
      }
      following = true
      clearTimeout(retry)
      stream?.close()
      stream = null
      data.messages.forEach(hear)
    } else if (data.told && following) {
      hear(data.told)
    } else if (data.down && following && document.visibilityState === 'visible') {
      // A page in the background may sleep for a minute before it tries again.
      following = false
      connect()
    }
  }

  const enterLobby = () => {
    // Only secure origins have locks: elsewhere (a phone on the network) each page keeps its own
    // stream. So does a page with a policy, which may not be able to open another one later.
    if (!navigator.locks || policy || channel || left) return
    const lobby = (channel = new BroadcastChannel('tidings'))
    const leaving = new AbortController()
    const gone = new Promise((done) => (lobby.leave = done))
    gone.then(() => leaving.abort())
    lobby.onmessage = onChannel
    navigator.locks
      .request('tidings', { signal: leaving.signal }, () => {
        if (channel !== lobby) return
        release = lobby.leave
        following = false
        clearTimeout(waiting)
        if (!stream) connect()
        lobby.postMessage({ lead: true })
        return gone
      })
      .catch(() => {})
    ask()
  }

  const leaveLobby = () => {
    clearTimeout(waiting)
    channel?.close()
    channel?.leave()
    channel = release = null
    following = false
  }

  let left = true

  const join = () => {
    if (!left) return
    left = false
    // At once, before the rest of the page is read: a policy in it counts from there on.
    connect()
    if (document.readyState === 'loading') addEventListener('DOMContentLoaded', enterLobby, { once: true })
    else enterLobby()
  }

  const leave = () => {
    left = true
    clearTimeout(retry)
    stream?.close()
    stream = null
    leaveLobby()
  }

  addEventListener('pagehide', leave)
  addEventListener('pageshow', (e) => e.persisted && join())
  document.addEventListener('freeze', leave)
  document.addEventListener('resume', join)
  const wake = () => {
    // Back from sleep or from no network: do not sit out a pause.
    if (document.visibilityState === 'visible' && !left && !stream && !following) connect()
  }
  addEventListener('online', wake)
  document.addEventListener('visibilitychange', wake)
  join()
