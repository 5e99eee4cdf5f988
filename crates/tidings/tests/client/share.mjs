// How the pages of a browser share one stream, in a simulated world: `node --test`, no browser.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { World } from './world.mjs'

const HISTORIES = Number(process.env.TIDINGS_HISTORIES ?? 1500)
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
const happenings = {
  open: (world) => world.pages.length < 20 && world.open(),
  openMany: (world) => world.pages.length < 10 && Array.from({ length: 8 }, () => world.open()),
  close: (world, page) => page?.close(),
  crash: (world, page) => page?.crash(),
  freeze: (world, page) => page?.freeze(),
  thaw: (world) => world.pages.filter(({ state }) => state === 'frozen').forEach((page) => page.thaw()),
  reload: (world, page) => page?.load(),
  breakpoint: (world, page) => page?.breakpoint(world.between(10, 3000)),
  wake: (world, page) => page?.peer?.wake(),
  save: (world) => world.server.save(),
  saveAgain: (world) => world.server.save(),
  burst: (world) => Array.from({ length: 1 + world.below(20) }, () => world.server.save()),
  stop: (world) => world.server.up && world.server.stop(),
  start: (world) => world.server.up || world.server.start(),
  restart: (world) => {
    if (world.server.up) world.server.stop()
    world.server.start()
  },
}
const names = Object.keys(happenings)

const history = (seed, locks) => {
  const world = new World(seed, { locks })
  const length = 10 + world.below(60)
  const haste = world.below(2) ? 60 : 800 // ms between two of them, at most
  for (let i = 0; i < length; i += 1) {
    const { live } = world
    happenings[names[world.below(names.length)]](world, live[world.below(live.length)])
    world.run(world.below(3) ? world.between(0, haste) : 0)
  }
  happenings.thaw(world)
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
    while (late.at === undefined) world.run(1)
    // It has its stamp, and nobody listens for it yet.
    for (let i = 0; i < 5; i += 1) world.server.save()
    world.settle(5_000)
  }
})
