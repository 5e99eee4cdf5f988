  // ---- the worker, and the browser's APIs for a peer -----------------------------------------------

  // Starts a peer, in a worker or in the page itself. The page sends the name of the lock and of the
  // channel that its peers share, the addresses of the stream and of reports, the peer's own name, and the page's
  // cursor.
  const startPeer = ({ name, stream, seen, me, page }, deliver) => {
    const channel = BroadcastChannel && new BroadcastChannel(name)

    const lock = (steal, granted, lost) => {
      const waiting = new AbortController()
      let unlock
      const held = new Promise((done) => (unlock = done))
      const options = steal ? { steal } : { signal: waiting.signal }
      locks.request(name, options, () => (granted(), held)).catch(lost)
      return () => {
        waiting.abort()
        unlock()
      }
    }

    const connect = (after, { opened, failed, event }) => {
      const url = new URL(stream)
      url.searchParams.set('last_event_id', after)
      const source = new EventSource(url)
      source.onopen = opened
      source.onerror = () => failed(source.readyState === 2)
      // An event named `gap` is ignored: the status that follows it has another epoch or timestamp.
      source.onmessage = ({ lastEventId: id, data }) => id && event({ id, data })
      return () => source.close()
    }

    const { receive, wake, stop } = peer(
      {
        me,
        post: (message) => channel?.postMessage(message),
        lock: channel && locks ? lock : null,
        connect,
        later: (ms, action) => setTimeout(action, ms),
        cancel: clearTimeout,
        random: Math.random,
      },
      page,
      deliver,
    )
    // A page that has left could not send its last report itself.
    const sendFor = (body) => answerTo(seen, { method: 'POST', body })
    if (channel) channel.onmessage = ({ data }) => (data.report ? sendFor(data.report) : receive(data))
    return {
      wake,
      stop: () => {
        stop()
        channel?.close()
      },
    }
  }

  // Makes a request and returns the status of the response; 0 is none, and -1 one that the server gives in
  // place of a backend. Where the whole of it is wanted, also its content. `later` is a pause before it, in ms.
  const answerTo = (url, { whole, later, ...init } = {}) =>
    (later ? delay(later) : Promise.resolve())
      .then(() => fetch(url, { redirect: 'manual', ...init }))
      .then(async (response) => {
        const bytes = await response.arrayBuffer() // else no cache gets all of it
        const { type, status, headers } = response
        return {
          status: type === 'opaqueredirect' ? 302 : headers.has('tidings-problem') ? -1 : status,
          ...(whole && { head: headers.get('tidings-head'), bytes }),
        }
      })
      .catch(() => ({ status: 0 }))

  if (typeof document === 'undefined') {
    // This is the worker.
    let running = null
    self.onmessage = async ({ data: { start, wake, request } }) => {
      if (wake) return running?.wake(wake.visible)
      if (request) {
        const { n, url, init } = request
        const answer = await answerTo(url, init)
        return postMessage({ n, answer }, answer.bytes ? [answer.bytes] : [])
      }
      running?.stop()
      const deliver = (event) => {
        postMessage({ event })
        // A page that is busy, or paused at a breakpoint, cannot say that it is there.
        if (!event.data.includes('"call":')) return
        answerTo(start.seen, { method: 'POST', body: `{"page":"${start.pageId}","did":"here"}` })
      }
      running = start ? startPeer(start, deliver) : null
      postMessage({})
    }
    return
  }

