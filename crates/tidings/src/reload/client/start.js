// The browser's side of tidings: receives changes, and shows what has been saved.
//
// The script element that loads this carries what the server knew when it made the page: the position
// in its log (data-cursor), the timestamp of the newest change (data-timestamp), and which file the
// page is. Whatever is published after that position is new to this page, whenever it is received:
// after a pause, on return from the back/forward cache, or from a restarted server.
//
// The same script runs in two places. In the page it decides what to do about a change. In a worker
// that each page starts (there is no `document`) it receives: the pages of one browser share one stream
// (HTTP/1.1 has six connections for all of them), and a page that is paused at a breakpoint, shows an
// alert or is busy must not keep events from the others. share.js is the protocol for it.
(() => {
  'use strict'

  // Taken once, before any script of the page runs. A page may declare `const URL` or `class Image`,
  // which hides the global from every script of the document, and it may replace properties of `window`.
  const natives = {}
  const names =
    'AbortController Array Boolean BroadcastChannel CSSStyleSheet Date Document DOMParser Element ' +
    'Error EventSource FontFace Image Map Math MutationObserver Number Object PerformanceObserver Promise Set ' +
    'ShadowRoot String Symbol TextDecoder URL WeakMap WeakSet Worker addEventListener clearTimeout console ' +
    'decodeURIComponent encodeURIComponent fetch getComputedStyle navigator parseInt performance ' +
    'postMessage queueMicrotask requestAnimationFrame setTimeout'
  for (const name of names.split(' ')) natives[name] = self[name]
  const {
    AbortController,
    Array,
    Boolean,
    BroadcastChannel,
    CSSStyleSheet,
    Date,
    Document,
    DOMParser,
    Element,
    Error,
    EventSource,
    FontFace,
    Image,
    Map,
    Math,
    MutationObserver,
    Number,
    Object,
    PerformanceObserver,
    Promise,
    Set,
    ShadowRoot,
    String,
    Symbol,
    TextDecoder,
    URL,
    WeakMap,
    WeakSet,
    Worker,
    addEventListener,
    clearTimeout,
    console,
    decodeURIComponent,
    encodeURIComponent,
    fetch,
    getComputedStyle,
    navigator,
    parseInt,
    performance,
    postMessage,
    queueMicrotask,
    requestAnimationFrame,
    setTimeout,
  } = natives
  const { locks } = navigator // only in secure contexts
  const delay = (ms) => new Promise((done) => setTimeout(done, ms))
  const JSON = (natives.JSON = { parse: self.JSON.parse, stringify: self.JSON.stringify })

