  // ---- what this page is, and how far it has heard -------------------------------------------------

  const script = document.currentScript
  const own = script.dataset
  // Read now: a `<base>` further down would change what it says.
  const scriptUrl = script.src
  // A sandboxed frame has an origin of its own, which may not listen. Its parent page looks after it.
  if (self.origin === 'null' || !scriptUrl) return
  const streamUrl = new URL(own.stream, scriptUrl)
  const seenUrl = new URL('seen', scriptUrl)
  const pathOf = (url, base = document.baseURI) => {
    try {
      const { origin, pathname } = new URL(url, base)
      return origin === streamUrl.origin ? decodeURIComponent(pathname) : null
    } catch {
      return null
    }
  }
  let sessionStorage = null
  try {
    sessionStorage = self.sessionStorage
  } catch {} // it may be forbidden

  const file = own.file && decodeURIComponent(own.file)
  const listing = own.listing && decodeURIComponent(own.listing)
  const missing = 'missing' in own
  const policy = 'policy' in own // the page brings a Content-Security-Policy of its own
  const any = 'any' in own // made by a program, from files that nobody can tell
  let at = own.cursor
  let timestamp = own.timestamp ? Number(own.timestamp) : null
  // What the files themselves say, where the timestamp had to be moved on to stay unique.
  let newest = own.newest ? Number(own.newest) : timestamp

  const isNews = (id) => isAfter(id, at)

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

