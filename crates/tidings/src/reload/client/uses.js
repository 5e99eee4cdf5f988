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
    // A directory that was removed, or replaced by another, stands for all that is in it.
    if (kind !== 'created' && [...used].some((other) => other.startsWith(path + '/'))) return true
    return used.has(path) && !listensItself(path)
  }

