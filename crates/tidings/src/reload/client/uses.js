  // ---- what this page uses -------------------------------------------------------------------------
  //
  // Two ways to know: what the documents hold now, and what the browser has loaded for them and why
  // (Resource Timing). The first can be updated in place; if the second has more, only a reload is sure to
  // be right. What workers and sandboxed frames use is in the message (`usedBy`).

  // Requests of this script, so that they do not count as the page's: below its own path, and others.
  const ownPath = pathOf(scriptUrl)?.replace(/(?<=.\/)[^/]*$/, '')
  const ownRequests = []

  // Has the cache hold the file as it is now, under the address that the page wrote. Tells whether it is
  // there.
  const refresh = async (url) => {
    if (hasPolicy()) return false // it may forbid this, and the browser would report it in the console
    ownRequests.push({ url, since: performance.now() })
    try {
      const response = await fetch(url, { cache: 'reload' })
      await response.arrayBuffer()
      return response.ok
    } catch {
      return false // the server is down: what is shown is not the newest anyway
    }
  }

  const isOwnRequest = ({ name, initiatorType, startTime }) => {
    if (initiatorType !== 'fetch') return false
    const n = ownRequests.findIndex(({ url, since }) => url === name && startTime >= since)
    if (n >= 0) ownRequests.splice(n, 1)
    return n >= 0
  }

  // For each window: path -> why it was loaded, in the words of Resource Timing.
  const loads = new WeakMap()

  const loadsOf = (view) => {
    // Of this window as they were at the start: the page may have replaced them.
    const timing = view === window ? performance : view.performance
    const Observer = view === window ? PerformanceObserver : view.PerformanceObserver
    let known = loads.get(timing)
    if (!known) {
      const paths = new Map()
      const note = (entries) => {
        for (const entry of entries) {
          const path = pathOf(entry.name)
          if (path === null || path.startsWith(ownPath) || isOwnRequest(entry)) continue
          if (!paths.has(path)) paths.set(path, new Set())
          paths.get(path).add(entry.initiatorType)
        }
      }
      const observer = new Observer((list) => note(list.getEntries()))
      observer.observe({ type: 'resource', buffered: true })
      // What is buffered comes later, but of a frame that was found just now it counts at once.
      const buffered = timing.getEntriesByType('resource')
      note(buffered)
      // Resource Timing, "resource timing buffer size limit": 250, and what came after that is lost.
      known = { paths, update: () => note(observer.takeRecords()), lost: buffered.length >= 250 }
      loads.set(timing, known)
    }
    known.update()
    return known
  }
  loadsOf(window)

  // What frames load is found by their elements.
  const frameInitiators = new Set(['iframe', 'frame', 'object', 'embed', 'navigation'])

  // Why a file has been loaded by the documents.
  const reasonsFor = (path, { documents }) => {
    const reasons = new Set()
    for (const { defaultView: view } of documents) {
      if (!view) continue
      const { paths, lost } = loadsOf(view)
      paths.get(path)?.forEach((reason) => frameInitiators.has(reason) || reasons.add(reason))
      if (lost) reasons.add('unknown')
    }
    return reasons
  }

  // The files that the frames show.
  const framedFiles = (scan) => {
    const files = new Set()
    for (const frame of scan.frames) {
      for (const url of [frame.src, frame.data, contentOf(frame)?.URL]) {
        const path = typeof url === 'string' && url ? pathOf(url, frame.baseURI) : null
        if (path) filesAt(path).forEach((file) => files.add(file))
      }
    }
    return files
  }

  // Every file that the documents use, in whatever way.
  const filesUsed = (scan) => {
    const files = framedFiles(scan)
    const use = (url, base) => {
      const path = pathOf(url, base)
      if (path && !path.startsWith(ownPath)) filesAt(path).forEach((file) => files.add(file))
    }
    for (const { defaultView: view } of scan.documents) {
      if (!view) continue
      for (const [path, reasons] of loadsOf(view).paths) {
        if ([...reasons].some((reason) => !frameInitiators.has(reason))) filesAt(path).forEach((file) => files.add(file))
      }
    }
    for (const root of scan.roots) {
      for (const node of root.querySelectorAll('[src]:not(iframe, frame, embed), link[href], [poster]')) {
        const url = node.src || node.href || node.poster
        if (typeof url === 'string') use(url)
      }
      for (const [sheet] of sheetsIn(root)) if (sheet.href) use(sheet.href)
    }
    return files
  }

  // ---- whether a change concerns this page ---------------------------------------------------------

  // The addresses that the server may know this page by.
  const addresses = new Set([pathOf(location.href), file])

  // Whether the event is of another run of the server, which does not know the requests of this page.
  const isOtherRun = (id) => !sameLog(id, config.cursor)

  // A worker's script is loaded for a reason that has no name of its own. Ours does not count.
  const hasWorkers = ({ documents }) =>
    Boolean(navigator.serviceWorker?.controller) ||
    documents.some(({ defaultView: view }) =>
      view && [...loadsOf(view).paths].some(
        ([path, reasons]) => path !== pathOf(scriptUrl) && reasons.has('other') && /\.[cm]?js$/i.test(path),
      ),
    )

  // Frames of this origin that cannot be looked into.
  const hasSandboxedFrames = ({ frames }) =>
    frames.some((frame) => !contentOf(frame) && pathOf(frame.src || frame.data || location.href) !== null)

  // Whether a worker or an opaque frame of this page uses a file. Of pages of a backend the server does not
  // know it.
  const isUsedElsewhere = ({ path, usedBy = [] }, id, scan, used) =>
    (any && (hasWorkers(scan) || hasSandboxedFrames(scan))) ||
    (isOtherRun(id) && !used.has(path) && (scan.opaque || hasWorkers(scan))) ||
    usedBy.some((user) => {
      if (user === '*') return true
      if (user === 'null') return scan.opaque
      return addresses.has(user) || user === pathOf(location.href) || used.has(user)
    })

  const concerns = ({ path, kind }, usedElsewhere, used) => {
    if (any || !path.startsWith('/')) return true // beyond the root: --watch
    if (missing) return kind !== 'removed'
    if (listing) {
      const below = path.startsWith(listing) && path.slice(listing.length)
      return below && (!below.includes('/') || kind !== 'modified')
    }
    if (path === file) return kind !== 'removed' // keep the last good page until it is back
    if (usedElsewhere || used.has(path)) return true
    // A directory that was removed, or replaced by another, stands for all that is in it.
    return kind !== 'created' && [...used].some((other) => other.startsWith(path + '/'))
  }

