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
  let tree = own.tree // a digest of the names of all files

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

