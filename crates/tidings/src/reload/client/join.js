  // ---- listening, and giving it up -----------------------------------------------------------------

  // Another version of this script, or another stream, has peers of its own. The version is in the
  // address up to the first `&` or `#`; a frame may load the same script with more after that.
  const name = `tidings ${streamUrl.href} ${scriptUrl.split(/[&#]/)[0]}`
  let joined = null // {wake, stop}
  let fresh = true // not yet left and come back
  let kept = null // the worker of a page that may not be able to make another one

  const join = () => {
    if (joined) return
    const me = `${Date.now()}.${Math.random()}`
    const start = { name, stream: streamUrl.href, me, page: { id: at, timestamp, newest, tree, fresh } }
    fresh = false
    try {
      joined = joinInWorker(start)
    } catch {
      joined = startPeer(start, hear)
    }
  }

  const joinInWorker = (start) => {
    const worker = kept ?? new Worker(scriptUrl)
    // A policy in the document counts from where it stands, so the worker is made before that. It has
    // a policy of its own: the page may forbid itself to connect, and to make another worker.
    if (policy) kept = worker
    let started = false
    const mine = {
      worker,
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
    worker.onmessage = ({ data: { event, n, status } }) => {
      started = true
      if (n) answers.get(n)?.(status)
      answers.delete(n)
      if (event && joined === mine) hear(event)
    }
    worker.onerror = () => {
      // A policy in the response's head forbids workers, or it cannot be loaded: listen from here.
      if (started || joined !== mine) return
      kept = null
      worker.terminate()
      start.page = { id: at, timestamp, newest, tree, fresh: start.page.fresh }
      joined = startPeer(start, hear)
    }
    worker.postMessage({ start })
    return mine
  }

  // A request of ours, and the status of the answer; 0 is none. A policy may forbid the page to connect,
  // and would say so in its console; the worker may.
  const answers = new Map()
  let requests = 0
  const request = (url, init) => {
    const worker = joined?.worker ?? kept
    if (!worker) return statusOf(url, init)
    const n = ++requests
    worker.postMessage({ request: { n, url, init } })
    return new Promise((done) => answers.set(n, done))
  }

  const leave = () => {
    joined?.stop()
    joined = null
    for (const done of answers.values()) done(0)
    answers.clear()
  }

  addEventListener('pagehide', leave)
  addEventListener('pageshow', (e) => e.persisted && join())
  document.addEventListener('freeze', leave)
  document.addEventListener('resume', join)
  const wake = () => {
    if (document.visibilityState === 'visible') joined?.wake()
  }
  addEventListener('online', wake)
  document.addEventListener('visibilitychange', wake)
  join()
