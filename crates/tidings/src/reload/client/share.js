  // ---- one stream for all pages of a browser -------------------------------------------------------
  //
  // Each page has a peer. One of them leads: it has the stream, and posts each event to the others.
  // Every peer has its own cursor, and the last events, so that any of them can lead next.
  //
  //   follower -> all     { resume, by, fresh }              what is there after this cursor?
  //   leader -> one       { to, by, after, events }          this; the rest as it comes
  //   leader -> one       { to, by, events: null }           ask again, I do not know yet
  //   leader -> all       { event, by }
  //   leader -> all       { leads, anew }                    who does not follow me yet: ask
  //   leader -> all       { leaves }                         without locks: somebody else must lead
  //
  // Who leads is decided by a lock where there are locks (secure contexts): the browser passes it on
  // when its holder ends, whatever it died of. Elsewhere by the messages themselves: the leader posts
  // `leads` each second, silence makes the others try, and of two leaders the lower name stays.
  //
  // What must stay true
  // - Only the leader has a stream. A peer that starts asks, and opens none.
  // - A peer takes events only from the leader that has answered it, and in the order of its log: none
  //   is skipped, none is delivered twice.
  // - A cursor that the leader's log does not reach back to makes it connect again from there.
  // - A cursor of another run of the server gets the status, as it would from the server.
  //
  // Nothing here is the browser's: all comes in with `world`, and the tests bring another one.

  const LOG_LIMIT = 500 // events
  const RETRY_LIMIT = 1000 // ms
  const ANSWER_WITHIN = 300
  const HEARTBEAT = 1000
  const SILENCE = 2500

  // `world`: {
  //   me: a name that no other peer has,
  //   post(message): to all other peers, in order,
  //   lock(steal, granted, lost): asks for the lock and returns what gives it back; null without locks,
  //   connect(after, {opened, failed, event}): opens the stream and returns what closes it,
  //   later(ms, action), cancel(timer), random() }
  // `page`: { id, timestamp, newest: the page's cursor and what the files were there,
  //   fresh: the page has just been loaded, so its cursor is of the newest run of the server }
  const peer = (world, page, deliver) => {
    const { me, post, connect, later, cancel, random } = world
    let { lock } = world
    let at = { id: page.id, timestamp: page.timestamp, newest: page.newest }
    let fresh = page.fresh
    let from = at.id // `log` has all events after this one
    let log = []
    let leading = false
    let leader = null // whom this peer follows; null until somebody has answered
    let waiting = null // the timer for what the leader should say
    let asked = 0 // how often
    let unanswered = 0 // since the leader was last heard of
    let beating = null
    let unlock = null
    let close = null // the open stream
    let retry = null
    let pause = 0 // 0: the stream is open, or nobody knows yet that it cannot be
    let opened = false
    let stopped = false

    // ---- events

    const end = () => (log.length > 0 ? log[log.length - 1].id : from)

    const take = (event) => {
      if (!sameLog(event.id, from)) {
        from = event.id
        log = []
      } else if (isAfter(event.id, end())) {
        log.push(event)
        if (log.length > LOG_LIMIT) from = log.shift().id
      }
      if (!isAfter(event.id, at.id)) return
      const { timestamp, newest = timestamp } = JSON.parse(event.data)
      at = { id: event.id, timestamp, newest }
      deliver(event)
    }

    const status = () => ({ id: at.id, data: JSON.stringify({ timestamp: at.timestamp, newest: at.newest }) })

    // ---- leading

    const disconnect = () => {
      cancel(retry)
      close?.()
      close = null
      opened = false
    }

    const open = () => {
      disconnect()
      close = connect(end(), {
        opened: () => {
          opened = true
          pause = 0
        },
        failed: () => {
          // Never left to the browser: some give up after some kinds of failure.
          disconnect()
          pause = Math.min(RETRY_LIMIT, pause * 1.5 + 100)
          retry = later(pause * (0.75 + random() / 2), open)
        },
        event: (event) => {
          // First to the others: this page may end at what it hears.
          post({ event, by: me })
          const restarted = !sameLog(event.id, end())
          take(event)
          if (restarted) post({ leads: me }) // pages of the new server wait to be answered
        },
      })
    }

    const openSoon = (ms) => {
      disconnect()
      retry = later(ms, open)
    }

    const lead = () => {
      const inherited = !fresh
      leading = true
      leader = null
      fresh = false
      cancel(waiting)
      post({ leads: me, anew: true })
      if (!lock) beat()
      // Pages that leave because of the same event should not each open a stream in turn, and without
      // locks another one may object.
      openSoon(!lock ? 100 : inherited ? 50 : 0)
    }

    const beat = () => {
      beating = later(HEARTBEAT, () => {
        post({ leads: me })
        beat()
      })
    }

    const stepDown = () => {
      leading = false
      cancel(beating)
      disconnect()
      ask()
    }

    const answer = ({ resume: after, by, fresh }) => {
      let events = log.filter(({ id }) => isAfter(id, after))
      if (!close && pause) open() // somebody is awake: do not sit out the pause
      if (!sameLog(after, end())) {
        // A page that was just loaded comes from the server that is there now. Is this stream, too?
        if (fresh) openSoon(0)
        events = opened && at.timestamp !== null ? [status()] : null
      } else if (isAfter(from, after)) {
        from = after
        log = events = []
        openSoon(20) // more may come, with older cursors
      } else if (isAfter(after, end())) {
        // It has been told what has not arrived here: on its way, or the stream is dead.
        later(1000, () => leading && sameLog(after, end()) && isAfter(after, end()) && open())
      }
      post({ to: by, by: me, after, events })
    }

    // ---- following

    const ask = () => {
      leader = null
      unanswered = 0
      askAgain()
    }

    const askAgain = () => {
      post({ resume: at.id, by: me, fresh: fresh && asked++ < 3 })
      cancel(waiting)
      // A leader that holds the lock and does not answer is frozen, or very busy.
      const patience = lock ? 10 : 1
      waiting = later(ANSWER_WITHIN * (1 + random()), () => (unanswered++ < patience ? askAgain() : takeOver()))
    }

    const takeOver = () => (lock ? compete(true) : lead())

    const follow = (by) => {
      leader = by
      // A leader that had gone back for others, and was not done, no longer has all after `from`.
      if (end() !== at.id) {
        from = at.id
        log = []
      }
      fresh = false
      cancel(waiting)
      if (!lock) waiting = later(SILENCE * (1 + random() / 4), ask)
    }

    const compete = (steal) => {
      unlock?.()
      let held = false
      const giveBack = lock(
        steal,
        () => {
          if (stopped || unlock !== giveBack) return giveBack()
          held = true
          lead()
        },
        () => {
          if (stopped || unlock !== giveBack) return
          // Stolen, because this peer was taken for dead; or locks are not to be had here.
          if (!held) lock = null
          else compete(false)
          stepDown()
        },
      )
      unlock = giveBack
    }

    const receive = (message) => {
      const { by, resume, leads } = message
      if (stopped) return
      if (resume) {
        if (leading) answer(message)
      } else if (message.event) {
        if (by === leader) take(message.event)
        else if (leader) ask() // another one leads by now
      } else if (message.to) {
        if (message.to !== me || leading) return
        if (message.events && message.after === at.id) {
          follow(by)
          message.events.forEach(take)
        } else if (by !== leader) {
          // It does not know yet; or this peer has been answered by another one, who may lead no more.
          if (leader || message.events) ask()
          unanswered = 0
        }
      } else if (leads) {
        if (!leading) leads === leader && !message.anew ? follow(leads) : ask()
        else if (lock) return // it was stolen: this peer is about to be told
        else if (leads < me) stepDown()
        else post({ leads: me })
      } else if (message.leaves === leader && leader) {
        leader = null
        cancel(waiting)
        waiting = later(50 + random() * 200, takeOver)
      }
    }

    // The page is looked at, or the network is back.
    const wake = () => {
      if (!leading) ask()
      else if (!close) open()
    }

    const stop = () => {
      stopped = true
      cancel(waiting)
      cancel(beating)
      disconnect()
      unlock?.()
      if (leading && !lock) post({ leaves: me })
    }

    if (lock) compete(false)
    ask()
    return { receive, wake, stop }
  }

