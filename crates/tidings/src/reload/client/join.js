  // ---- listening, and giving it up -----------------------------------------------------------------

  // Another version of this script, or another stream, has peers of its own.
  const name = `tidings ${streamUrl.href} ${scriptUrl}`
  let listening = null // {wake, stop}
  let fresh = true // not yet left and come back
  let kept = null // the worker of a page that may not be able to make another one

  const join = () => {
    if (listening) return
    const me = `${Date.now()}.${Math.random()}`
    const start = { name, stream: streamUrl.href, me, page: { id: at, timestamp, newest, fresh } }
    fresh = false
    try {
      listening = joinInWorker(start)
    } catch {
      listening = startPeer(start, hear)
    }
  }

  const joinInWorker = (start) => {
    const worker = kept ?? new Worker(scriptUrl)
    // A policy in the document counts from where it stands, so the worker is made before that. It has
    // a policy of its own: the page may forbid itself to connect, and to make another worker.
    if (policy) kept = worker
    let started = false
    const mine = {
      wake: () => worker.postMessage({ wake: true }),
      stop: () => {
        if (kept) return worker.postMessage({})
        // At once: the page may be frozen before its worker comes to read a message. The lock and the
        // stream end with it.
        worker.terminate()
        if (!locks && BroadcastChannel) {
          const channel = new BroadcastChannel(name)
          channel.postMessage({ leaves: start.me })
          channel.close()
        }
      },
    }
    worker.onmessage = ({ data: { event } }) => {
      started = true
      if (event && listening === mine) hear(event)
    }
    worker.onerror = () => {
      // A policy in the response's head forbids workers, or it cannot be loaded: listen from here.
      if (started || listening !== mine) return
      kept = null
      worker.terminate()
      start.page = { id: at, timestamp, newest, fresh: start.page.fresh }
      listening = startPeer(start, hear)
    }
    worker.postMessage({ start })
    return mine
  }

  const leave = () => {
    listening?.stop()
    listening = null
  }

  addEventListener('pagehide', leave)
  addEventListener('pageshow', (e) => e.persisted && join())
  document.addEventListener('freeze', leave)
  document.addEventListener('resume', join)
  const wake = () => {
    if (document.visibilityState === 'visible') listening?.wake()
  }
  addEventListener('online', wake)
  document.addEventListener('visibilitychange', wake)
  join()
