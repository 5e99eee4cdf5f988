  // ---- a problem of the backend --------------------------------------------------------------------
  //
  // `parts/overlay.js` shows it over the page.

  // The problem that the server has; undefined where there is none.
  let currentProblem = config.problem && JSON.parse(config.problem)
  script.removeAttribute('data-problem')
  let overlay = null // the part, once it is there

  // Has the server do something; returns the status of its answer.
  const order = (json) => {
    const headers = { 'content-type': 'application/json', 'tidings-token': config.token }
    return request(new URL('control', scriptUrl).href, { method: 'POST', headers, body: json })
  }

  const showProblem = async () => {
    if (!currentProblem && !overlay && !awaitsBackend) return
    watchKeys()
    try {
      overlay ??= await part('overlay')
    } catch {
      return currentProblem && console.error(`tidings: ${currentProblem.title}`)
    }
    const orders = config.token && order
    awaitsBackend ? overlay.link(orders) : overlay.show(currentProblem, orders)
  }

  // A page that stands for one of the backend shows the problem itself.
  const setProblem = (problem) => {
    const before = currentProblem
    currentProblem = problem
    if (problem?.id === before?.id) return
    if (!awaitsBackend) showProblem()
    else if (problem) reloadNow()
  }

  // The overlay's keys and clicks are its own, so these listeners come before those of the page.
  const intercept = (e) => overlay?.intercept(e)
  const ownEvents = 'keydown keyup keypress pointerdown pointerup mousedown mouseup click dblclick focusin'.split(' ')
  const watchKeys = () => ownEvents.forEach((type) => addEventListener(type, intercept, true))
  if (any) watchKeys()

