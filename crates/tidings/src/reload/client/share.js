  // ---- one stream for all pages of a browser -------------------------------------------------------
  //
  // Each page has a peer. One peer leads: it has the stream, and posts each event to the others. Every
  // peer has its own cursor and keeps the last events, so that any of them can be the next leader.
  //
  //   follower -> all     { resume, by, fresh }              a request for what comes after this cursor
  //   leader -> one       { to, by, after, events }          the answer; later events follow
  //   leader -> one       { to, by, events: null }           not known yet: ask again
  //   leader -> all       { event, by }
  //   leader -> all       { leads, anew }                    there is a leader: ask it
  //   leader -> all       { leaves }                         without locks: another must lead
  //   leader -> all       { away }                           the server is away: does anybody look?
  //   follower -> all     { visible }                        the answer of one whose page is visible
  //
  // Who leads is decided by a lock where there are locks (secure contexts): the browser passes it on
  // when its holder ends for whatever reason. Elsewhere by messages: the leader posts `leads` each
  // second, without it the others take over, and of two leaders the one with the lower name stays.
  //
  // What must stay true
  // - Only the leader has a stream. A new peer asks the leader.
  // - A peer takes events only from the leader that has answered it, and in the order of its log: none
  //   is skipped, none is delivered twice.
  // - For a cursor before its log the leader connects again, from there.
  // - A cursor of another run of the server is answered with the status, as the server would.
  //
  // Nothing here calls the browser: `environment` does, and the tests have another one.

  const LOG_LIMIT = 500 // events
  const LOG_LENGTH = 1e6 // characters: they may carry the text of files
  const RETRY_LIMIT = 1000 // ms
  const VISIBLE_RETRY_LIMIT = 60
  const ANSWER_WITHIN = 300
  const HEARTBEAT = 1000
  const SILENCE = 2500

  // `environment`: {
  //   me: a name that no other peer has,
  //   post(message): to all other peers, in order,
  //   lock(steal, granted, lost): asks for the lock and returns what gives it back; null without locks,
  //   connect(after, {opened, failed, event}): opens the stream and returns what closes it; `failed(true)`
  //     is for an answer that is no stream,
  //   later(ms, action), cancel(timer), random() }
  // `page`: { id, timestamp, newest, tree, paused, problem: the page's cursor and what the status was there,
  //   fresh: the page has just been loaded, so its cursor is of the newest run of the server,
  //   visible: whether somebody may be looking at it }
  const peer = (environment, page, deliver) => {
    const { me, post, connect, later, cancel, random } = environment
    let { lock } = environment
    let { fresh, visible, ...cursor } = page
    let from = cursor.id // `log` has all events after this one
    let log = []
    let leading = false
    let leader = null // whom this peer follows; null until one has answered
    let waiting = null // the timer for the leader's answer
    let freshRequests = 0 // how often
    let unanswered = 0 // requests since the last message of the leader
    let heartbeat = null
    let unlock = null
    let close = null // the open stream
    let retry = null
    let pause = 0 // ms before the next attempt; 0: the last one did not fail
    let eager = 0 // failures after which another page is asked whether it is visible
    let opened = false
    let stopped = false

    // ---- events

    const end = () => (log.length > 0 ? log[log.length - 1].id : from)

    const accept = (event) => {
      if (!sameLog(event.id, from)) {
        from = event.id
        log = []
      } else if (isAfter(event.id, end())) {
        log.push(event)
        while (log.length > LOG_LIMIT || log.reduce((sum, { data }) => sum + data.length, 0) > LOG_LENGTH) from = log.shift().id
      }
      if (!isAfter(event.id, cursor.id)) return
      const { timestamp, newest = timestamp, tree, paused, problem, changes } = JSON.parse(event.data)
      // A change leaves the problem as it is.
      cursor = { id: event.id, timestamp, newest, tree, paused, problem: changes ? cursor.problem : problem }
      deliver(event)
    }

    const status = () => {
      const { id, ...rest } = cursor
      return { id, data: JSON.stringify(rest) }
    }

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
        failed: (answered) => {
          // Not left to the browser: some give up after some kinds of failure.
          disconnect()
          if (!visible && eager < 5) post({ away: me })
          // It costs a server nothing that nobody listens at its port. But what answers there otherwise may
          // write each request to its log.
          const isQuick = !answered && (visible || eager-- > 0)
          pause = Math.min(isQuick ? VISIBLE_RETRY_LIMIT : RETRY_LIMIT, pause * 1.5 + 50)
          retry = later(pause * (0.75 + random() / 2), open)
        },
        event: (event) => {
          // The others first: this page may reload because of it.
          post({ event, by: me })
          const restarted = !sameLog(event.id, end())
          accept(event)
          if (restarted) post({ leads: me }) // pages of the new run wait for an answer
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
      if (!lock) startHeartbeat()
      // Pages that leave because of the same event should not each open a stream in turn, and without
      // locks another one may object.
      openSoon(!lock ? 100 : inherited ? 50 : 0)
    }

    const startHeartbeat = () => {
      heartbeat = later(HEARTBEAT, () => {
        post({ leads: me })
        startHeartbeat()
      })
    }

    const stepDown = () => {
      leading = false
      cancel(heartbeat)
      disconnect()
      ask()
    }

    const answer = ({ resume: after, by, fresh }) => {
      let events = log.filter(({ id }) => isAfter(id, after))
      if (!close && pause) open() // a page is active: try at once
      if (!sameLog(after, end())) {
        // A page that was just loaded is of the current run. This stream may not be.
        if (fresh) openSoon(0)
        events = opened && cursor.timestamp !== null ? [status()] : null
      } else if (isAfter(from, after)) {
        from = after
        log = events = []
        openSoon(20) // more requests may come, with older cursors
      } else if (isAfter(after, end())) {
        // It knows events that have not arrived here: they are on their way, or the stream is dead.
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
      post({ resume: cursor.id, by: me, fresh: fresh && freshRequests++ < 3 })
      cancel(waiting)
      // A leader that holds the lock and does not answer is frozen, or very busy.
      const attempts = lock ? 10 : 1
      waiting = later(ANSWER_WITHIN * (1 + random()), () => (unanswered++ < attempts ? askAgain() : takeOver()))
    }

    const takeOver = () => (lock ? compete(true) : lead())

    const follow = (by) => {
      leader = by
      // A former leader that was still receiving older events for others no longer has all after `from`.
      if (end() !== cursor.id) {
        from = cursor.id
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
          // Stolen, because this peer did not answer; or there are no locks here.
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
      if (message.away && visible) post({ visible: true })
      if (message.visible && leading) {
        eager = 20
        if (!close && pause > VISIBLE_RETRY_LIMIT) open()
      }
      if (resume) {
        if (leading) answer(message)
      } else if (message.event) {
        if (by === leader) accept(message.event)
        else if (leader) ask() // there is another leader now
      } else if (message.to) {
        if (message.to !== me || leading) return
        if (message.events && message.after === cursor.id) {
          follow(by)
          message.events.forEach(accept)
        } else if (by !== leader) {
          // It does not know yet; or another peer has answered, which may no longer lead.
          if (leader || message.events) ask()
          unanswered = 0
        }
      } else if (leads) {
        if (!leading) leads === leader && !message.anew ? follow(leads) : ask()
        else if (lock) return // it was stolen: `lost` is about to be called
        else if (leads < me) stepDown()
        else post({ leads: me })
      } else if (message.leaves === leader && leader) {
        leader = null
        cancel(waiting)
        waiting = later(50 + random() * 200, takeOver)
      }
    }

    // The page has become visible or hidden, or the network is back.
    const wake = (isVisible) => {
      visible = isVisible
      if (!visible) return
      if (!leading) ask()
      else if (!close) open()
    }

    const stop = () => {
      stopped = true
      cancel(waiting)
      cancel(heartbeat)
      disconnect()
      unlock?.()
      if (leading && !lock) post({ leaves: me })
    }

    if (lock) compete(false)
    ask()
    return { receive, wake, stop }
  }

