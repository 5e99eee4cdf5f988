  // ---- the stream ----------------------------------------------------------------------------------

  let stream = null
  let channel = null
  let release = null
  let waiting = null
  let retry = null
  let pause = 0
  const worker = policy && new Worker(script.src)
  let from = at // the stream that this page leads began after this id
  let history = [] // what it has told since
  const me = `${Date.now()}.${Math.random()}`

  const tell = (message) => {
    if (message.name === 'gap') {
      history = []
    } else {
      if (!sameLog(message.id, from)) [from, history] = [message.id, []]
      history.push(message)
      if (history.length > 500) from = history.shift().id
    }
    if (release) channel.postMessage({ told: message })
    hear(message)
  }

  const connect = (after = at) => {
    clearTimeout(retry)
    stream?.close()
    from = after
    history = []
    const url = new URL(streamUrl)
    url.searchParams.set('last_event_id', after)
    const again = () => {
      // Never left to the browser: some give up after some kinds of failure.
      stream?.close()
      stream = null
      pause = Math.min(2000, pause * 1.5 + 200)
      if (release) channel.postMessage({ down: true })
      clearTimeout(retry)
      retry = setTimeout(() => connect(), pause * (0.75 + Math.random() / 2))
    }
    const opened = () => {
      pause = 0
      // Those who went their own ways meanwhile come back, once this page knows where the log is.
      setTimeout(() => release && stream && channel.postMessage({ lead: true }), 300)
    }
    if (policy) {
      // Made once, before the policy counts; it can connect as often as it must.
      worker.onmessage = ({ data }) => {
        if (data.name === 'open') opened()
        else if (data.name === 'error') again()
        else tell(data)
      }
      worker.postMessage(url.href)
      stream = { close: () => worker.postMessage(null) }
      return
    }
    stream = new EventSource(url)
    stream.onopen = opened
    stream.onerror = again
    stream.onmessage = (e) => tell({ name: 'message', id: e.lastEventId, data: e.data })
    stream.addEventListener('gap', (e) => tell({ name: 'gap', id: e.lastEventId, data: e.data }))
  }

