  // ---- joining the peers, and leaving them ---------------------------------------------------------

  // Another version of this script, or another stream, has peers of its own. The version is in the
  // address up to the first `&` or `#`; a frame may load the same script with more after that.
  const name = `tidings ${streamUrl.href} ${scriptUrl.split(/[&#]/)[0]}`
  let joined = null // {wake, stop}
  let fresh = true // has not left yet since it was loaded
  let keptWorker = null // the worker of a page that may not be able to make another one

  const isVisible = () => document.visibilityState === 'visible'
  const pageStatus = (fresh) => ({
    id: cursor,
    timestamp,
    newest,
    tree,
    paused,
    problem: currentProblem,
    fresh,
    visible: isVisible(),
  })

  const join = () => {
    if (joined) return
    const me = `${Date.now()}.${Math.random()}`
    const start = { name, stream: streamUrl.href, me, page: pageStatus(fresh), seen: reportUrl.href, pageId }
    fresh = false
    try {
      joined = joinInWorker(start)
    } catch {
      joined = startPeer(start, receive)
    }
    tell({ did: 'open' })
  }

  // With Trusted Types, the address of a worker or script and a text to be parsed must come from a policy of this name.
  let trusted = (url) => url
  try {
    const rules = { createScriptURL: (url) => url, createHTML: (text) => text }
    const policy = self.trustedTypes?.createPolicy('tidings', rules)
    if (policy) {
      trusted = (url) => policy.createScriptURL(url)
      // What is parsed by it is never run.
      natives.DOMParser = function () {
        this.parseFromString = (text, type) => new DOMParser().parseFromString(policy.createHTML(text), type)
      }
    }
  } catch {} // the name is not allowed

  // To all peers.
  const say = (message) => {
    const channel = BroadcastChannel && new BroadcastChannel(name)
    channel?.postMessage(message)
    channel?.close()
  }

  const joinInWorker = (start) => {
    const worker = keptWorker ?? new Worker(trusted(scriptUrl))
    let started = false
    const mine = {
      worker,
      wake: (visible) => worker.postMessage({ wake: { visible } }),
      stop: () => {
        // A policy in the document counts from where it stands, and the worker was made before that. It has
        // a policy of its own: the page may forbid itself to connect, and to make another worker.
        if (hasMetaPolicy()) {
          keptWorker = worker
          return worker.postMessage({})
        }
        // At once: the page may be frozen before its worker comes to read a message. The lock and the
        // stream end with it.
        worker.terminate()
        if (!locks) say({ leaves: start.me })
      },
    }
    worker.onmessage = ({ data: { event, n, answer } }) => {
      started = true
      if (n) answers.get(n)?.(answer)
      answers.delete(n)
      if (event && joined === mine) receive(event)
    }
    worker.onerror = () => {
      // A policy in the response's head forbids workers, or it cannot be loaded: receive in the page.
      if (started || joined !== mine) return
      keptWorker = null
      worker.terminate()
      endRequests()
      start.page = pageStatus(start.page.fresh)
      joined = startPeer(start, receive)
    }
    worker.postMessage({ start })
    return mine
  }

  // Makes a request, and returns the answer. A policy may forbid the page to connect, and the browser would
  // report it in the console; the worker has its own policy.
  const answers = new Map()
  let requests = 0
  const ask = (url, init) => {
    const worker = joined?.worker ?? keptWorker
    if (!worker) return answerTo(url, init)
    const n = ++requests
    worker.postMessage({ request: { n, url, init } })
    return new Promise((done) => answers.set(n, done))
  }
  const request = async (url, init) => (await ask(url, init)).status

  // The worker that was to make them is gone.
  const endRequests = () => {
    for (const done of answers.values()) done({ status: 0 })
    answers.clear()
  }

  const leave = () => {
    joined?.stop()
    joined = null
    endRequests()
  }

  // A policy in the document forbids what could still be sent now, and the worker ends with the page. So the others
  // send it, and the page that comes next in this tab.
  const leftKey = 'tidings left'
  const sayGoodbye = (did) => {
    if (joined && !reloading) {
      const body = reportOf({ did })
      if (!hasMetaPolicy()) send(body)
      else {
        say({ report: body })
        try {
          if (did === 'leave') sessionStorage.setItem(leftKey, `${sessionStorage.getItem(leftKey) ?? ''}${body}\n`)
        } catch {}
      }
    }
    leave()
  }
  addEventListener('pagehide', () => sayGoodbye('leave'))
  addEventListener('pageshow', (e) => e.persisted && join())
  document.addEventListener('freeze', () => sayGoodbye('freeze'))
  document.addEventListener('resume', join)
  const wake = () => joined?.wake(isVisible())
  addEventListener('online', wake)
  document.addEventListener('visibilitychange', wake)
  join()
  try {
    const left = sessionStorage.getItem(leftKey)
    sessionStorage.removeItem(leftKey)
    left?.trim().split('\n').forEach((body) => send(body))
  } catch {}
  answer(cursor)

  // At once where a policy in a `<meta>` may come, which could forbid them later.
  const preload = (name) => part(name).catch(() => {})
  if (any) preload('overlay')
  if (sendsErrors) preload('console').then((make) => (hear = make?.(sendErrors, { id: pageId, scriptUrl, file }, heard) ?? hear))
  if (wantsBadge()) showBadge()

  // It is in place of a page of the backend: that is loaded as soon as it is there.
  if (awaitsBackend) reload(cursor)
  if (document.readyState !== 'loading') showProblem()
  else document.addEventListener('DOMContentLoaded', showProblem, { once: true })
