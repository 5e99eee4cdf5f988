// How the pages of a browser share one stream, in a simulated world: `node --test`, no browser.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'

import { World, peer } from './world.mjs'

const HISTORIES = Number(process.env.TIDINGS_HISTORIES ?? 1000)
const FIRST = Number(process.env.TIDINGS_SEED ?? Date.now() % 1e9)

const both = (name, run) => {
  test(`${name}, with locks`, () => run({ locks: true }))
  test(`${name}, without locks`, () => run({ locks: false }))
}

const open = (world, n) => {
  for (let i = 0; i < n; i += 1) world.open()
  world.settle(10_000)
}

// Something that happens to pages and server. Weighted by how often it is listed.
const actions = {
  open: (world) => world.pages.length < 20 && world.open(),
  openMany: (world) => world.pages.length < 10 && Array.from({ length: 8 }, () => world.open()),
  close: (world, page) => page?.close(),
  crash: (world, page) => page?.crash(),
  freeze: (world, page) => page?.freeze(),
  thaw: (world) => world.pages.filter(({ state }) => state === 'frozen').forEach((page) => page.thaw()),
  reload: (world, page) => page?.load(),
  breakpoint: (world, page) => page?.breakpoint(world.between(10, 3000)),
  show: (world, page) => page?.show(true),
  hide: (world, page) => page?.show(false),
  save: (world) => world.server.save(),
  saveAgain: (world) => world.server.save(),
  burst: (world) => Array.from({ length: 1 + world.below(20) }, () => world.server.save()),
  fail: (world) => world.server.up && world.server.setProblem(world.now),
  mend: (world) => world.server.up && world.server.setProblem(),
  restartBackend: (world) => world.server.up && world.server.restarted(),
  stop: (world) => world.server.up && world.server.stop(),
  start: (world) => world.server.up || world.server.start(),
  restart: (world) => {
    if (world.server.up) world.server.stop()
    world.server.start()
  },
}
const names = Object.keys(actions)

const history = (seed, locks) => {
  const world = new World(seed, { locks })
  const length = 10 + world.below(60)
  const longestPause = world.below(2) ? 60 : 800 // ms between two of them, at most
  for (let i = 0; i < length; i += 1) {
    const { live } = world
    actions[names[world.below(names.length)]](world, live[world.below(live.length)])
    world.run(world.below(3) ? world.between(0, longestPause) : 0)
  }
  actions.thaw(world)
  if (!world.server.up) world.server.start()
  world.settle(15_000)
  // Still so a while later, and the next save arrives.
  world.run(5_000)
  world.server.save()
  world.settle(3_000)
}

both('whatever happens, all pages end on the last state, through one stream', ({ locks }) => {
  for (let seed = FIRST; seed < FIRST + HISTORIES; seed += 1) {
    try {
      history(seed, locks)
    } catch (error) {
      error.message = `TIDINGS_SEED=${seed} TIDINGS_HISTORIES=1: ${error.message}`
      throw error
    }
  }
})

both('twenty pages and ten restarts are one stream', ({ locks }) => {
  const world = new World(1, { locks })
  open(world, 20)
  for (let i = 0; i < 10; i += 1) {
    world.server.stop()
    world.run(world.between(0, 2_000))
    if (i % 2) world.server.save()
    world.server.start()
    world.settle(4_000)
  }
  assert.equal(world.streams.size, 1)
})

both('a restart without a change reloads nothing', ({ locks }) => {
  const world = new World(2, { locks })
  open(world, 8)
  const loads = world.pages.map((page) => page.loads)
  for (let i = 0; i < 5; i += 1) {
    world.server.stop()
    world.run(1_000)
    world.server.start()
    world.run(4_000)
  }
  world.open()
  world.settle(4_000)
  assert.deepEqual(world.pages.slice(0, 8).map((page) => page.loads), loads)
})

// The time until a stream is open after the server was away for so long, with these pages.
const timeToReturn = (world, away) => {
  world.server.stop()
  world.run(away)
  world.server.start()
  const begun = world.now
  while (world.server.connected.size === 0) world.run(1)
  return world.now - begun
}

both('a page that is visible has its stream again at once, whichever of them leads', ({ locks }) => {
  for (let seed = 1; seed < 60; seed += 1) {
    const world = new World(seed, { locks })
    open(world, 5)
    world.pages[world.below(5)].show(true)
    world.settle(5_000)
    for (const away of [300, 3_000, 60_000]) {
      const time = timeToReturn(world, away + world.between(0, 1000))
      assert.ok(time < 250, `seed ${seed}: ${time} ms`)
      world.settle(5_000)
    }
  }
})

both('a server that is away is asked once a second if nobody looks', ({ locks }) => {
  const world = new World(6, { locks })
  open(world, 5)
  world.pages[0].show(true)
  world.settle(5_000)
  world.pages[0].show(false)
  world.server.stop()
  world.run(10_000)
  world.attempts = 0
  world.run(60_000)
  assert.ok(world.attempts < 70, `${world.attempts}`)
})

both('what answers otherwise at the port of the server is asked once a second', ({ locks }) => {
  const world = new World(7, { locks })
  open(world, 5)
  for (const page of world.pages) page.show(true)
  world.server.stop()
  world.server.up = true
  world.server.answersOtherwise = true
  world.run(10_000)
  world.attempts = 0
  world.run(60_000)
  assert.ok(world.attempts < 70, `${world.attempts}`)
})

both('a page that stands at a breakpoint holds up nobody', ({ locks }) => {
  const world = new World(3, { locks })
  open(world, 1)
  const [first] = world.pages
  open(world, 4)
  first.breakpoint(1e9)
  world.server.save()
  world.pages = world.pages.filter((page) => page !== first)
  world.settle(1_000)
})

both('when the page with the stream dies, another one takes over', ({ locks }) => {
  const world = new World(4, { locks })
  open(world, 5)
  while (world.pages.length > 1) {
    const leader = world.pages.find(({ stream }) => stream && !stream.closed)
    leader.crash()
    world.server.save()
    world.settle(8_000)
  }
})

test('a page that hangs with the lock loses it to the next page that comes', () => {
  const world = new World(5)
  open(world, 1)
  const [hung] = world.pages
  open(world, 4)
  hung.hang()
  // Its stream stays open for as long as it hangs: that is the browser's.
  world.streams.clear()
  world.pages = world.pages.filter((page) => page !== hung)
  world.open()
  world.run(10_000)
  world.server.save()
  world.settle(10_000)
})

both('an event that came before a page asked is not missed', ({ locks }) => {
  for (let seed = 1; seed < 100; seed += 1) {
    const world = new World(seed, { locks })
    open(world, 2)
    const late = world.open()
    while (late.cursor === undefined) world.run(1)
    // It has its stamp, and nobody listens for it yet.
    for (let i = 0; i < 5; i += 1) world.server.save()
    world.settle(5_000)
  }
})

test('what pages load is valid, and small', () => {
  const directory = new URL('../../src/reload/client/minified/', import.meta.url)
  const most = { 'client.js': 12 * 1024, 'patch.js': 6 * 1024 }
  for (const name of readdirSync(directory)) {
    const script = readFileSync(new URL(name, directory), 'utf8')
    new Function(script)
    const size = gzipSync(script, { level: 9 }).length
    console.log(`the script is ${size} bytes in gzip: ${name}`)
    assert.ok(size <= (most[name] ?? most['client.js']), name)
  }
})

// ---- one peer, message by message

const alone = (id, { locks = false } = {}) => {
  const stage = { posted: [], told: [], opened: [] }
  const event = (position) => ({ id: `e.${position}`, data: `{"timestamp":${position},"changes":[]}` })
  stage.peer = peer(
    {
      me: 'me',
      random: () => 0,
      later: () => null,
      cancel: () => {},
      post: (message) => stage.posted.push(message),
      lock: locks ? (_, granted, lost) => (Object.assign(stage, { granted, lost }), () => {}) : null,
      connect: (after, handlers) => (stage.opened.push(after), (stage.stream = handlers), () => {}),
    },
    { id, timestamp: 0, newest: 0, fresh: true },
    ({ id }) => stage.told.push(id),
  )
  return { stage, event, last: () => stage.posted[stage.posted.length - 1] }
}

test('a late answer of one that leads no more is not followed', () => {
  const { stage, event, last } = alone('e.1')
  const { receive } = stage.peer
  receive({ to: 'me', by: 'a', after: 'e.1', events: [event(2)] })
  receive({ to: 'me', by: 'b', after: 'e.1', events: [] })
  assert.deepEqual(last(), { resume: 'e.2', by: 'me', fresh: false })
  receive({ event: event(4), by: 'b' })
  assert.deepEqual(stage.told, ['e.2'])
  receive({ to: 'me', by: 'b', after: 'e.2', events: [event(3), event(4)] })
  assert.deepEqual(stage.told, ['e.2', 'e.3', 'e.4'])
})

test('a leader that leads again is asked again: another one led meanwhile', () => {
  const { stage, last } = alone('e.1')
  stage.peer.receive({ to: 'me', by: 'a', after: 'e.1', events: [] })
  const { length } = stage.posted
  stage.peer.receive({ leads: 'a' })
  assert.equal(stage.posted.length, length)
  stage.peer.receive({ leads: 'a', anew: true })
  assert.deepEqual(last(), { resume: 'e.1', by: 'me', fresh: false })
})

test('a leader that is deposed while it goes back for another has no hole in its log', () => {
  const { stage, event, last } = alone('e.5', { locks: true })
  const { receive } = stage.peer
  stage.granted()
  receive({ resume: 'e.2', by: 'a' })
  assert.deepEqual(last(), { to: 'a', by: 'me', after: 'e.2', events: [] })
  stage.lost()
  receive({ to: 'me', by: 'b', after: 'e.5', events: [event(6)] })
  stage.granted()
  receive({ resume: 'e.5', by: 'a' })
  assert.deepEqual(last().events, [event(6)])
  // It has not got 3 to 5, so that it must go back once more.
  receive({ resume: 'e.2', by: 'c' })
  assert.deepEqual(last().events, [])
})
