// The page's half of tidings: listens, and shows what has been saved.
//
// The script element that loads this carries what the server knew when it made the page: the position
// in its log (data-cursor), the timestamp of the newest change (data-timestamp), and which file the
// page is. Whatever is published after that position is news to this page, whenever it is heard:
// after a pause, from the back/forward cache, or from a server that has been started again.
//
// All pages of one browser share one stream (HTTP/1.1 has six connections for all of them): whoever
// holds the lock `tidings` has it and passes on what it hears. Every page keeps its own position.
(() => {
  'use strict'

  if (typeof document === 'undefined') {
    // Inside of a worker: only the stream, for pages whose own policy may forbid them to connect.
    let stream
    onmessage = ({ data: url }) => {
      stream?.close()
      if (!url) return
      stream = new EventSource(url)
      const tell = (name) => (e) => postMessage({ name, id: e.lastEventId, data: e.data })
      stream.onopen = tell('open')
      stream.onerror = tell('error')
      stream.onmessage = tell('message')
      stream.addEventListener('gap', tell('gap'))
    }
    return
  }

  const script = document.currentScript
  const own = script.dataset
  // A sandboxed frame has an origin of its own, which may not listen.
  if (self.origin === 'null' || !script.src) return
  const streamUrl = new URL(own.stream, script.src)
  const seenUrl = new URL('seen', script.src)
  const pathOf = (url, base = document.baseURI) => {
    try {
      const { origin, pathname } = new URL(url, base)
      return origin === streamUrl.origin ? decodeURIComponent(pathname) : null
    } catch {
      return null
    }
  }

  // ---- what this page is, and how far it has heard -------------------------------------------------

  const file = own.file && decodeURIComponent(own.file)
  const listing = own.listing && decodeURIComponent(own.listing)
  const missing = 'missing' in own
  const policy = 'policy' in own // the page brings a Content-Security-Policy of its own
  const any = 'any' in own // made by a program, from files that nobody can tell
  let at = own.cursor
  let timestamp = own.timestamp ? Number(own.timestamp) : null
  // What the files themselves say, where the timestamp had to be moved on to stay unique.
  let newest = own.newest ? Number(own.newest) : timestamp

  // An id is `<epoch>.<position>`.
  const epochOf = (id) => id.slice(0, id.lastIndexOf('.'))
  const positionOf = (id) => Number(id.slice(id.lastIndexOf('.') + 1))
  const sameLog = (a, b) => epochOf(a) === epochOf(b)
  const isNews = (id) => !sameLog(id, at) || positionOf(id) > positionOf(at)

  // If a reload brought an older copy than the one it was for (a service worker, a cache in between),
  // the next one would too. Then what it was for counts as heard.
  const memory = `tidings ${location.pathname}`
  try {
    const reloadedFor = sessionStorage.getItem(memory)
    sessionStorage.removeItem(memory)
    if (reloadedFor && sameLog(reloadedFor, at) && isNews(reloadedFor)) {
      console.warn('tidings: a cache answered with an older copy of this page; not reloading again')
      at = reloadedFor
    }
  } catch {} // storage may be forbidden

  // ---- what this page uses -------------------------------------------------------------------------

  const used = new Set()
  const use = (url) => {
    const path = pathOf(url)
    if (path === null) return
    used.add(path)
    if (path.endsWith('/')) used.add(path + 'index.html')
    else if (!/\.[^/]*$/.test(path)) used.add(path + '.html').add(path + '/index.html')
  }
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => use(entry.name))).observe({
    type: 'resource',
    buffered: true,
  })
  // Frames that listen for themselves are pages of their own.
  const listensItself = (path) =>
    [...document.querySelectorAll('iframe, frame')].some((frame) => {
      try {
        const page = frame.contentDocument.querySelector('script[data-cursor]')
        return page && decodeURIComponent(page.dataset.file ?? '') === path
      } catch {
        return false
      }
    })
  const lookAround = () => {
    for (const node of document.querySelectorAll('[src], link[href], [poster], [data]')) {
      const url = node.src || node.href || node.poster || node.data
      if (typeof url === 'string') use(url)
    }
    for (const [sheet] of sheets()) if (sheet.href) use(sheet.href)
  }

  const concerns = ({ path, kind }) => {
    if (any || !path.startsWith('/')) return true // beyond the root: --watch
    if (missing) return kind !== 'removed'
    if (listing) {
      const below = path.startsWith(listing) && path.slice(listing.length)
      return below && (!below.includes('/') || kind !== 'modified')
    }
    if (path === file) return kind !== 'removed' // keep the last good page until it is back
    if (kind === 'removed' && [...used].some((other) => other.startsWith(path + '/'))) return true
    return used.has(path) && !listensItself(path)
  }

  // ---- what is done about a change -----------------------------------------------------------------

  let reloading = false
  let doing = Promise.resolve() // swaps run one after the other, so that the last one wins

  const seen = (id, did) => {
    try {
      navigator.sendBeacon(seenUrl, JSON.stringify({ id, did }))
    } catch {} // only the server's log is the poorer
  }

  const reload = (id) => {
    if (reloading) return
    reloading = true
    seen(id, 'reload')
    try {
      sessionStorage.setItem(memory, id)
    } catch {}
    // The stream holds one of six connections; the page needs them.
    leave()
    location.reload()
    // Still here? Then somebody chose to stay on the page.
    setTimeout(() => {
      reloading = false
      join()
    }, 5000)
  }

  // Whether the page's address answers with a page at all.
  const isThere = async () => {
    try {
      const headers = { accept: 'text/html' }
      return (await fetch(location.href, { method: 'HEAD', cache: 'no-store', headers })).ok
    } catch {
      return false
    }
  }

  const apply = async (id, changes) => {
    lookAround()
    const mine = changes.filter(concerns)
    if (mine.length === 0 || reloading) return
    // In the place of a page that is not there: look whether it is now. The error page itself may
    // have changed, too.
    const ofThisPage = ({ path }) => path === '/404.html' || used.has(path)
    if (missing && !mine.some(ofThisPage)) return (await isThere()) && reload(id)
    if (mine.every(({ kind }) => kind === 'removed')) {
      // A generator that wipes its output and writes it again: wait for it, then look.
      await new Promise((done) => setTimeout(done, 150))
      return (await isThere()) && reload(id)
    }
    const bust = `${positionOf(id)}-${Date.now()}`
    const swaps = mine.map(({ path, kind }) => (kind === 'removed' ? null : swapOf(path, bust)))
    if (swaps.includes(null)) return reload(id)
    seen(id, mine.every(({ path }) => isSheet(path)) ? 'style' : 'image')
    for (const swap of swaps) await swap()
  }

  // ---- in place: style sheets ----------------------------------------------------------------------

  const isSheet = (path) => /\.css$/i.test(path)

  // Every sheet of the document with the element that brought it, imports included.
  function* sheets(list = document.styleSheets, owner = null) {
    for (const sheet of list) {
      const node = owner ?? sheet.ownerNode
      yield [sheet, node]
      let rules = []
      try {
        rules = sheet.cssRules
      } catch {} // of another origin
      for (const rule of rules) if (rule.styleSheet) yield* sheets([rule.styleSheet], node)
    }
  }

  const busted = (url, bust, base = document.baseURI) => {
    const fresh = new URL(url, base)
    fresh.searchParams.set('tidings', bust)
    return fresh.href
  }

  const loaded = (node) =>
    new Promise((done) => {
      node.addEventListener('load', done)
      node.addEventListener('error', done)
      setTimeout(done, 3000)
    })

  // The new sheet stands beside the old one until it has loaded: nothing flashes.
  const replaceOwner = async (node, bust) => {
    const next = node.cloneNode(true)
    if (node.localName === 'link') next.href = busted(node.href, bust)
    const ready = loaded(next)
    node.after(next)
    await ready
    node.remove()
  }

  const ownersOf = (path) => {
    const owners = new Set()
    for (const link of document.querySelectorAll('link[rel~="stylesheet" i][href]')) {
      if (pathOf(link.href) === path) owners.add(link)
    }
    for (const [sheet, node] of sheets()) {
      if (sheet.href && pathOf(sheet.href) === path && node?.after) owners.add(node)
    }
    return owners
  }

  // Returns how to show a file anew in place, or null where only a reload will do.
  const swapOf = (path, bust) => {
    if (isSheet(path)) {
      if (ownersOf(path).size === 0) return null
      return async () => {
        // Looked up anew: an earlier swap may have replaced them.
        const urls = new Set()
        for (const [sheet] of sheets()) if (sheet.href && pathOf(sheet.href) === path) urls.add(sheet.href)
        // An import has no element to give a new address to, so the cache gets the new text.
        await Promise.all([...urls].map((url) => fetch(url, { cache: 'reload' }).catch(() => {})))
        await Promise.all([...ownersOf(path)].map((node) => replaceOwner(node, bust)))
      }
    }
    return isImage(path) ? swapImage(path, bust) : null
  }

  // ---- in place: images ----------------------------------------------------------------------------

  const isImage = (path) => /\.(png|jpe?g|gif|webp|avif|svg|ico|bmp|apng)$/i.test(path)

  const bustText = (text, path, bust, base) =>
    text.replace(/url\(\s*(["']?)(.*?)\1\s*\)/g, (whole, _, url) =>
      pathOf(url, base) === path ? `url("${busted(url, bust, base)}")` : whole,
    )

  const bustSrcset = (text, path, bust) =>
    text.replace(/(\S+?)(,?(?:\s|$))/g, (whole, url, end) =>
      pathOf(url) === path ? busted(url, bust) + end : whole,
    )

  function* rulesOf(rules) {
    for (const rule of rules) {
      yield rule
      yield* rulesOf(rule.cssRules ?? [])
    }
  }

  const swapImage = (path, bust) => {
    const steps = []
    const attribute = (node, name) => {
      const url = node.getAttribute(name)
      if (url && pathOf(url) === path) steps.push(() => node.setAttribute(name, busted(url, bust)))
    }
    for (const node of document.querySelectorAll('img, input[type=image]')) attribute(node, 'src')
    for (const node of document.querySelectorAll('video[poster]')) attribute(node, 'poster')
    for (const node of document.querySelectorAll('link[rel~="icon" i]')) attribute(node, 'href')
    for (const node of document.querySelectorAll('image')) attribute(node, 'href')
    for (const node of document.querySelectorAll('img[srcset], source[srcset]')) {
      const next = bustSrcset(node.srcset, path, bust)
      if (next !== node.srcset) steps.push(() => (node.srcset = next))
    }
    // Addresses in a sheet are relative to the sheet.
    const style = (style, base = document.baseURI) => {
      for (const name of [...style]) {
        const text = style.getPropertyValue(name)
        if (!text.includes('url(')) continue
        const next = bustText(text, path, bust, base)
        if (next !== text) {
          steps.push(() => style.setProperty(name, next, style.getPropertyPriority(name)))
        }
      }
    }
    for (const node of document.querySelectorAll('[style*="url("]')) style(node.style)
    for (const [sheet] of sheets()) {
      try {
        for (const rule of rulesOf(sheet.cssRules)) if (rule.style) style(rule.style, sheet.href ?? document.baseURI)
      } catch {} // of another origin
    }
    if (steps.length === 0) return null
    return async () => {
      // Fetched and decoded before it is shown: nothing flashes.
      const image = new Image()
      image.src = busted(path.split('/').map(encodeURIComponent).join('/'), bust)
      await image.decode().catch(() => {})
      steps.forEach((step) => step())
    }
  }

  // ---- hearing -------------------------------------------------------------------------------------

  const hear = ({ name, id, data }) => {
    if (name === 'gap' || !id || !isNews(id)) return // a status follows the gap
    at = id
    const told = JSON.parse(data)
    const before = timestamp
    const unchanged = told.timestamp === timestamp || told.timestamp === newest
    timestamp = told.timestamp
    newest = told.newest ?? told.timestamp
    if (told.rescan) return reload(id)
    if (told.changes) {
      doing = doing.then(() => apply(id, told.changes)).catch(() => reload(id))
    } else if (before !== null && !unchanged) {
      // The status of a server that does not know what this page has heard: something has changed.
      missing ? apply(id, [{ path: '', kind: 'modified' }]) : reload(id)
    }
  }

  // ---- the stream ----------------------------------------------------------------------------------

  let stream = null
  let channel = null
  let release = null
  let waiting = null
  let retry = null
  let pause = 0
  const worker = policy && new Worker(script.src)
  let from = at // the stream that this page leads began after this id
  let history = [] // what it has told since
  const me = `${Date.now()}.${Math.random()}`

  const tell = (message) => {
    if (message.name === 'gap') {
      history = []
    } else {
      if (!sameLog(message.id, from)) [from, history] = [message.id, []]
      history.push(message)
      if (history.length > 500) from = history.shift().id
    }
    if (release) channel.postMessage({ told: message })
    hear(message)
  }

  const connect = (after = at) => {
    clearTimeout(retry)
    stream?.close()
    from = after
    history = []
    const url = new URL(streamUrl)
    url.searchParams.set('last_event_id', after)
    const again = () => {
      // Never left to the browser: some give up after some kinds of failure.
      stream?.close()
      stream = null
      pause = Math.min(2000, pause * 1.5 + 200)
      if (release) channel.postMessage({ down: true })
      clearTimeout(retry)
      retry = setTimeout(() => connect(), pause * (0.75 + Math.random() / 2))
    }
    const opened = () => {
      pause = 0
      // Those who went their own ways meanwhile come back, once this page knows where the log is.
      setTimeout(() => release && stream && channel.postMessage({ lead: true }), 300)
    }
    if (policy) {
      // Made once, before the policy counts; it can connect as often as it must.
      worker.onmessage = ({ data }) => {
        if (data.name === 'open') opened()
        else if (data.name === 'error') again()
        else tell(data)
      }
      worker.postMessage(url.href)
      stream = { close: () => worker.postMessage(null) }
      return
    }
    stream = new EventSource(url)
    stream.onopen = opened
    stream.onerror = again
    stream.onmessage = (e) => tell({ name: 'message', id: e.lastEventId, data: e.data })
    stream.addEventListener('gap', (e) => tell({ name: 'gap', id: e.lastEventId, data: e.data }))
  }

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
})()
