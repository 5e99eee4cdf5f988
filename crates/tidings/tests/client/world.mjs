// A simulated world for `share.js`: a browser with pages, locks and a channel between them, and a server
// with a log. Time is a number, everything takes a random while, and the same seed is the same history.
//
// While it runs it holds what is seen against what must be so, and throws where it is not:
// - a page is given every event once and in order, or a status that says that it cannot know;
// - one stream is open, or, without locks, two for at most a moment.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

const read = (file) => readFileSync(new URL(`../../src/reload/client/${file}.js`, import.meta.url), 'utf8')
const source = `${read('ids')}${read('share')}`.replace('LOG_LIMIT = 500', 'LOG_LIMIT = 8')
const protocol = new Function(`'use strict'\n${source}\nreturn { peer, sameLog, positionOf }`)()

export const { peer, sameLog, positionOf } = protocol

// How long two streams may be open at once where there are no locks.
const HAND_OVER = 500

const randomFrom = (seed) => () => {
  // mulberry32
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

export class World {
  now = 0
  timers = [] // sorted by time, then by order
  pages = []
  streams = new Set() // held by the browser: connecting or open
  attempts = 0 // to connect
  doubleSince = null
  peers = new Map() // by name
  lastPost = new Map() // when a message from one peer to another arrives
  lock = { holder: null, queue: [] }
  n = 0

  constructor(seed, { locks = true } = {}) {
    this.random = randomFrom(seed)
    this.locks = locks
    this.server = new Server(this)
  }

  between(low, high) {
    return low + this.random() * (high - low)
  }

  below(n) {
    return Math.floor(this.random() * n)
  }

  later(ms, action) {
    const timer = { at: this.now + ms, n: this.n++, action }
    let i = this.timers.length
    while (i > 0 && this.timers[i - 1].at > timer.at) i -= 1
    this.timers.splice(i, 0, timer)
    return timer
  }

  cancel(timer) {
    if (timer) timer.action = null
  }

  run(ms) {
    const end = this.now + ms
    while (this.timers.length > 0 && this.timers[0].at <= end) {
      const { at, action } = this.timers.shift()
      this.now = at
      action?.()
      this.checkStreams()
    }
    this.now = end
  }

  checkStreams() {
    if (this.streams.size < 2) this.doubleSince = null
    else this.doubleSince ??= this.now
    const since = this.doubleSince === null ? 0 : this.now - this.doubleSince
    assert.ok(since <= (this.locks ? 0 : HAND_OVER) && this.streams.size <= (this.locks ? 1 : 20), `${this.streams.size} streams for ${since} ms`)
  }

  post(from, message) {
    const text = JSON.stringify(message)
    for (const [name, other] of this.peers) {
      if (name === from) continue
      const pair = `${from} ${name}`
      const at = Math.max(this.now + this.between(0.1, 15), this.lastPost.get(pair) ?? 0)
      this.lastPost.set(pair, at)
      this.later(at - this.now, () => other.alive() && other.receive(JSON.parse(text)))
    }
  }

  // ---- the lock

  request(request) {
    const { lock } = this
    if (request.steal) {
      const previous = lock.holder
      if (previous) this.later(this.between(0, 5), () => previous.alive() && previous.lost())
      lock.holder = null
      lock.queue.unshift(request)
    } else lock.queue.push(request)
    this.later(this.between(0, 5), () => this.grant())
  }

  release(request) {
    const { lock } = this
    lock.queue = lock.queue.filter((other) => other !== request)
    if (lock.holder !== request) return
    lock.holder = null
    this.later(this.between(0, 10), () => this.grant())
  }

  grant() {
    const { lock } = this
    if (lock.holder || lock.queue.length === 0) return
    const request = (lock.holder = lock.queue.shift())
    this.later(this.between(0, 5), () => request.alive() && lock.holder === request && request.granted())
  }

  // ---- pages

  open() {
    const page = new Page(this)
    this.pages.push(page)
    page.load()
    return page
  }

  get live() {
    return this.pages.filter(({ state }) => state === 'live')
  }

  // Runs until every page shows what the server has, through one stream.
  settle(within) {
    const begun = this.now
    const done = () =>
      this.pages.every(({ state }) => state === 'live') &&
      this.pages.every((page) => page.timestamp === this.server.timestamp && page.problem === this.server.problem) &&
      this.streams.size === Math.min(1, this.pages.length)
    while (!done() && this.now - begun < within) this.run(10)
    const late = this.pages.map(({ n, state, timestamp, problem }) => `${n}: ${state} ${timestamp} ${problem}`)
    assert.ok(done(), `after ${within} ms: server ${this.server.timestamp} ${this.server.problem}, ${this.streams.size} streams, pages ${late}`)
    return this.now - begun
  }
}

class Server {
  up = true
  runs = 0
  answersOtherwise = false // something else listens at its port
  retention = 12
  connected = new Set()

  constructor(world) {
    this.world = world
    this.timestamp = 1000
    this.start()
  }

  start() {
    this.up = true
    this.runs += 1
    // Nothing in the name says which run is the later one.
    this.epoch = Math.floor(this.world.random() * 2 ** 32).toString(16)
    this.position = 0
    this.log = []
    this.known = null // the timestamp, until the files have been walked over
    this.problem = undefined
    this.world.later(this.world.between(0, 100), () => {
      if (!this.up || this.known !== null) return
      this.known = this.timestamp
      this.publish()
    })
  }

  stop() {
    this.up = false
    for (const stream of [...this.connected]) stream.end()
  }

  save() {
    this.timestamp += 1
    // Else the next start finds it.
    if (!this.up || this.known === null) return
    this.known = this.timestamp
    this.publish({ problem: undefined, changes: [] })
  }

  // A problem comes, or goes.
  setProblem(problem) {
    this.problem = problem
    if (this.up) this.publish()
  }

  // Another run of the backend.
  restarted() {
    this.problem = undefined
    this.timestamp += 1
    if (!this.up) return
    if (this.known !== null) this.known = this.timestamp
    this.publish({ restarted: true })
  }

  get status() {
    return { timestamp: this.known ?? undefined, problem: this.problem }
  }

  publish(more) {
    this.position += 1
    const event = { id: this.cursor, data: JSON.stringify({ ...this.status, ...more }) }
    this.log.push(event)
    if (this.log.length > this.retention) this.log.shift()
    for (const stream of this.connected) stream.send(event)
  }

  get cursor() {
    return `${this.epoch}.${this.position}`
  }

  after(cursor) {
    const kept = this.position - this.log.length
    const position = positionOf(cursor)
    if (sameLog(cursor, this.cursor) && position >= kept && position <= this.position) {
      return this.log.slice(position - kept)
    }
    const isEmpty = this.known === null && this.position === 0
    return isEmpty ? [] : [{ id: this.cursor, data: JSON.stringify(this.status) }]
  }
}

class Stream {
  lastAt = 0

  constructor(world, after, handlers, alive) {
    Object.assign(this, { world, handlers, alive, closed: false })
    world.streams.add(this)
    world.attempts += 1
    const { server } = world
    world.later(world.between(0.5, 20), () => {
      if (this.closed) return
      if (!server.up || server.answersOtherwise) return this.tell(() => handlers.failed(server.up))
      this.tell(() => handlers.opened())
      server.after(after).forEach((event) => this.send(event))
      server.connected.add(this)
    })
  }

  tell(action) {
    const { world } = this
    const at = (this.lastAt = Math.max(this.lastAt, world.now + world.between(0.1, 5)))
    world.later(at - world.now, () => this.closed || !this.alive() || action())
  }

  send(event) {
    this.tell(() => this.handlers.event(event))
  }

  end() {
    this.world.server.connected.delete(this)
    this.tell(() => this.handlers.failed())
  }

  close() {
    this.closed = true
    this.world.streams.delete(this)
    this.world.server.connected.delete(this)
  }
}

let pages = 0

class Page {
  state = 'loading' // live, away, frozen, gone
  n = (pages += 1)
  loads = 0
  generation = 0 // of the peer
  visible = false
  busyUntil = 0 // the page stands at a breakpoint
  inbox = [] // what its worker has posted

  constructor(world) {
    this.world = world
  }

  load() {
    const { world } = this
    this.leave()
    this.state = 'loading'
    this.loads += 1
    const { loads } = this
    world.later(world.between(1, 100), () => {
      if (this.state !== 'loading' || this.loads !== loads) return
      const { server } = world
      if (!server.up) return this.load()
      this.cursor = server.cursor
      this.timestamp = server.known
      this.problem = server.problem
      // Its bytes travel, and are read.
      world.later(world.between(1, 200), () => {
        if (this.state !== 'loading' || this.loads !== loads) return
        this.state = 'live'
        this.join(true)
      })
    })
  }

  join(fresh) {
    const { world } = this
    const generation = (this.generation += 1)
    const alive = () => this.generation === generation && this.state !== 'hung'
    const me = (this.me = `${world.random()}`)
    const later = (ms, action) => world.later(ms, () => alive() && action())
    const { cursor: id, timestamp, problem } = this
    const page = { id, timestamp, newest: timestamp, problem, fresh }
    this.requests = new Set()
    this.stream = null
    later(world.between(1, 50), () => {
      const peer = protocol.peer(
        {
          me,
          random: world.random,
          later,
          cancel: (timer) => world.cancel(timer),
          post: (message) => world.post(me, message),
          lock: world.locks
            ? (steal, granted, lost) => {
                const request = { steal, granted, lost, alive }
                this.requests.add(request)
                world.request(request)
                return () => world.release(request)
              }
            : null,
          connect: (after, handlers) => {
            assert.ok(this.stream === null || this.stream.closed, 'a peer opens a second stream')
            const stream = (this.stream = new Stream(world, after, handlers, alive))
            return () => stream.close()
          },
        },
        { ...page, visible: this.visible },
        (event) => this.post(generation, event),
      )
      this.peer = peer
      world.peers.set(me, { alive, receive: peer.receive })
    })
  }

  // From the worker to the page.
  post(generation, event) {
    this.inbox.push({ generation, event })
    this.world.later(this.world.between(0.1, 5), () => this.read())
  }

  read() {
    if (this.world.now < this.busyUntil) return this.world.later(this.busyUntil - this.world.now, () => this.read())
    const first = this.inbox.shift()
    if (first?.generation === this.generation) this.receive(first.event)
  }

  receive({ id, data }) {
    const { timestamp = this.timestamp, problem, changes, restarted } = JSON.parse(data)
    const next = sameLog(id, this.cursor) && positionOf(id) === positionOf(this.cursor) + 1
    assert.ok(next || !changes, `page ${this.n} at ${this.cursor} is given ${id} ${data}`)
    assert.ok(!sameLog(id, this.cursor) || positionOf(id) > positionOf(this.cursor), `page ${this.n} at ${this.cursor} is given ${id} again`)
    const before = this.timestamp
    this.cursor = id
    this.timestamp = timestamp
    if (!changes) this.problem = problem
    const reloads = changes ? this.world.random() < 0.6 : restarted || (before !== null && before !== timestamp)
    if (reloads) this.load()
  }

  // The worker is terminated: no more of its code runs, the browser gives back what it held.
  leave({ says = true } = {}) {
    const { world } = this
    if (!this.me) return
    this.generation += 1
    this.stream?.close()
    for (const request of this.requests) world.release(request)
    if (says && !world.locks) world.post(this.me, { leaves: this.me })
    world.peers.delete(this.me)
    this.me = null
    this.peer = null
  }

  close() {
    this.leave()
    this.state = 'gone'
    this.world.pages = this.world.pages.filter((page) => page !== this)
  }

  crash() {
    this.leave({ says: false })
    this.close()
  }

  freeze() {
    this.leave()
    this.state = 'frozen'
  }

  thaw() {
    this.state = 'live'
    this.join(false)
  }

  show(visible) {
    this.visible = visible
    this.peer?.wake(visible)
  }

  breakpoint(ms) {
    this.busyUntil = this.world.now + ms
  }

  // Its process stands still, with all that it holds. No page ever hears of that.
  hang() {
    this.state = 'hung'
  }
}
