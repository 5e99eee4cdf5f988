// Sends the page's errors to the server, which prints them.
//
// What must stay true: the page does not notice. Nothing here throws, no getter or method of the page is called (but the
// traps of its proxies: nothing else tells what they hold), and a page
// that fails all the time sends a few lines a second and a count of the rest.
document[Symbol.for('tidings')].provide('console', (natives) => (send, page, earlier) => {
  'use strict'
  const { Array, Date, Element, Error, Map, Math, Number, Object, PerformanceObserver, Set, String, URL } = natives
  const { addEventListener, decodeURIComponent, performance, setTimeout } = natives
  const { getAttribute } = Element.prototype
  const MAX_WAITING = 20 // errors in one message
  const MAX_TEXT = 1000 // characters
  const FIRST = 50 // ms until a message is sent
  const PAUSE = 1000 // ms between two of them
  const ours = new URL('.', page.scriptUrl).href

  let waiting = new Map() // by what makes them the same
  let more = 0 // how many were left out
  let sentAt = 0
  let isDue = false

  const quoted = (text) =>
    `"${text.replace(/[^ !#-[\]-~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`

  // ---- places

  // A path below the server, or an address.
  const fileOf = (address) => {
    if (!address) return ''
    try {
      const url = new URL(address, document.baseURI)
      if (url.origin !== location.origin) return url.href.slice(0, 300)
      const isPage = url.pathname === location.pathname
      return (isPage && page.file) || decodeURIComponent(url.pathname)
    } catch {
      return ''
    }
  }

  // The first place in a stack trace that is not ours: `at f (URL:1:2)`, or `f@URL:1:2` elsewhere.
  const placeIn = (stack) => {
    for (const line of String(stack ?? '').split('\n')) {
      const [, address, row, column] = line.match(/(?:\(|@|at (?:async )?|^)([a-z][a-z-]*:[^()\s]+?):(\d+):(\d+)\)?$/) ?? []
      if (address && !address.startsWith(ours)) return { file: fileOf(address), line: Number(row), column: Number(column) }
    }
    return {}
  }

  const framesOf = (stack) => {
    const lines = String(stack ?? '').split('\n').map((line) => line.trim())
    return lines.filter((line) => /:\d+:\d+\)?$/.test(line) && !line.includes(ours)).slice(0, 10)
  }

  // ---- what was said, as text

  const isError = (value) => Error.isError?.(value) ?? value instanceof Error

  // The value of a property, without calling the page.
  const valueOf = (object, name) => {
    for (let holder = object; holder; holder = Object.getPrototypeOf(holder)) {
      const found = Object.getOwnPropertyDescriptor(holder, name)
      if (found) return 'value' in found ? found.value : undefined
    }
  }

  // A getter of the browser's own, which may call `Error.prepareStackTrace` of the page.
  const stackOf = (error) => (isError(error) ? error.stack : '')

  const messageOf = (error) => {
    const [name, message] = [valueOf(error, 'name') ?? 'Error', valueOf(error, 'message') ?? '']
    return message ? `${name}: ${message}` : `${name}`
  }

  // A proxy of the page may throw whatever is done to it.
  const described = (value, depth = 0) => {
    try {
      return describe(value, depth)
    } catch {
      return '(cannot be shown)'
    }
  }

  const describe = (value, depth) => {
    if (typeof value === 'string') return depth ? quoted(value.slice(0, 100)) : value
    if (typeof value === 'function') return `function ${valueOf(value, 'name')}`
    if (typeof value !== 'object' || value === null) return String(value)
    if (isError(value)) return messageOf(value)
    if (value instanceof Element) {
      const id = getAttribute.call(value, 'id')
      return `<${value.localName}${id ? `#${id}` : ''}>`
    }
    const keys = Object.keys(value).slice(0, 10)
    if (Array.isArray(value)) {
      if (depth > 1) return `Array(${value.length})`
      return `[${keys.map((key) => described(valueOf(value, key), depth + 1)).join(', ')}${value.length > 10 ? ', …' : ''}]`
    }
    const name = valueOf(valueOf(value, 'constructor') ?? {}, 'name') ?? ''
    const prefix = name === 'Object' ? '' : `${name} `
    if (depth > 1) return `${prefix}{…}`
    return `${prefix}{${keys.map((key) => `${key}: ${described(valueOf(value, key), depth + 1)}`).join(', ')}}`
  }

  // Console 2.2: the first argument may be a format.
  const formatted = ([first, ...rest]) => {
    if (typeof first !== 'string') return [first, ...rest].map((value) => described(value)).join(' ')
    const text = first.replace(/%([sdifoOc%])/g, (whole, kind) => {
      if (kind === '%') return '%'
      if (rest.length === 0) return whole
      const value = rest.shift()
      return kind === 'c' ? '' : described(value)
    })
    return [text, ...rest.map((value) => described(value))].join(' ')
  }

  // ---- sending

  const flush = () => {
    isDue = false
    const errors = []
    for (const { event, kind, text, status, file = '', line = 0, column = 0, frames = [], times } of waiting.values()) {
      // The page has seen to it.
      if (event?.defaultPrevented) continue
      const found = status?.()
      const told = found ? `${text} (${found})` : text
      errors.push(
        `{"kind":"${kind}","text":${quoted(told.slice(0, MAX_TEXT))},"file":${quoted(file)},"line":${line},"column":${column},` +
          `"frames":[${frames.map((frame) => quoted(frame.slice(0, 300))).join()}],"times":${times}}`,
      )
    }
    if (errors.length > 0 || more > 0)
      send(`{"page":"${page.id}","path":${quoted(page.file ?? decodeURIComponent(location.pathname))},"errors":[${errors.join()}],"more":${more}}`)
    waiting = new Map()
    more = 0
    sentAt = Date.now()
  }

  const add = (error) => {
    const key = [error.kind, error.text, error.file, error.line, error.column].join('\n')
    const before = waiting.get(key)
    if (before) before.times++
    else if (waiting.size >= MAX_WAITING) more++
    else waiting.set(key, { ...error, times: 1 })
    if (isDue) return
    isDue = true
    setTimeout(flush, Math.max(FIRST, sentAt + PAUSE - Date.now()))
  }

  // ---- hearing

  const failed = new Set() // addresses that an event has told about

  // Known only a moment later, and only by some browsers.
  const statusOf = (address) => () => performance.getEntriesByName(address).map((entry) => entry.responseStatus).pop()

  const HEARD = {
    error: (e) => {
      const { target, message, filename, lineno: line, colno: column, error } = e
      if (target instanceof Element) {
        const address = target.currentSrc || target.src || target.href || target.data
        if (typeof address !== 'string' || address.startsWith(ours)) return
        failed.add(address)
        return add({ kind: 'load', text: `<${target.localName}> did not load: ${fileOf(address)}`, status: statusOf(address) })
      }
      const isHidden = !filename && /^Script error\.?$/.test(message)
      const note = isHidden ? ' (in a script of another origin: the browser tells no more, unless it is loaded with crossorigin)' : ''
      const text = `${String(message).replace(/^Uncaught /, '')}${note}`
      add({ event: e, kind: 'error', text, file: fileOf(filename), line, column, frames: framesOf(stackOf(error)) })
    },
    unhandledrejection: (e) => {
      const { reason } = e
      const stack = stackOf(reason)
      add({ event: e, kind: 'rejection', text: described(reason), ...placeIn(stack), frames: framesOf(stack) })
    },
    securitypolicyviolation: ({ blockedURI, effectiveDirective, disposition, sourceFile, lineNumber: line, columnNumber: column }) => {
      if (disposition !== 'enforce' || blockedURI.startsWith(ours)) return
      add({ kind: 'policy', text: `${effectiveDirective} of its policy forbids ${blockedURI}`, file: fileOf(sourceFile), line, column })
    },
  }

  const hear = (kind, what, stack) => {
    try {
      // Cheap, for a page that fails all the time.
      if (waiting.size >= MAX_WAITING) more++
      else if (HEARD[kind]) HEARD[kind](what)
      else if (!(typeof what[0] === 'string' && what[0].startsWith('tidings: '))) add({ kind, text: formatted(what), ...placeIn(stack), frames: framesOf(stack) })
    } catch {} // the page has given an event something that cannot be read
  }

  // What scripts and style sheets fetch has no event. Requests that got no answer at all are not told from those
  // of another origin that tell nothing.
  try {
    const observer = new PerformanceObserver((list) => {
      for (const { name, initiatorType, responseStatus } of list.getEntries()) {
        if (!(responseStatus >= 400) || failed.has(name) || name.startsWith(ours)) continue
        if (initiatorType === 'fetch' && name === location.href.split('#')[0]) continue // ours, before a reload
        if (/^(fetch|xmlhttprequest|css|beacon)$/.test(initiatorType))
          add({ kind: 'load', text: `${initiatorType} got an error: ${fileOf(name)} (${responseStatus})` })
      }
    })
    observer.observe({ type: 'resource', buffered: true })
  } catch {} // an old browser

  addEventListener('pagehide', flush, true)
  for (const what of earlier) hear(...what)
  more += earlier.more
  return hear
})
