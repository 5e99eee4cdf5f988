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

