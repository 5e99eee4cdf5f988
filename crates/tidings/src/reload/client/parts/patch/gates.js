  // ---- whether the page may be patched at all ------------------------------------------------------

  // What the browser reads once, while it loads a page, and what decides how it parses.
  const READ_ONCE =
    'base,meta[http-equiv],meta[charset],meta[name=referrer i],script[type=importmap i],' +
    'script[type=speculationrules i],template[shadowrootmode],link[title],style[title]'

  const frameOf = (source) =>
    source.compatMode +
    Array.from(source.childNodes, (node) => (node.nodeType === 8 ? node.data : `${node.nodeName} ${node.publicId} ${node.systemId}`))

  const readOnce = (source) => Array.from(source.querySelectorAll(READ_ONCE), (element) => element.outerHTML).join('\n')

  const checkFrame = (oldSource, newSource) => {
    const frame = frameOf(oldSource)
    if (frame !== frameOf(newSource) || frame !== frameOf(document)) doubt('its doctype has changed')
    if (readOnce(oldSource) !== readOnce(newSource)) doubt('its head has changed where browsers read it only once')
  }

  const markup = (elements) => elements.map((element) => element.outerHTML).join('\n')

  // HTML 4.12.1: what has another type is data.
  const isExecutable = (script) => {
    const language = script.getAttribute('language')
    const type = script.getAttribute('type') ?? (language ? `text/${language}` : '')
    return /^\s*$|^\s*module|(java|ecma|j|live)script/i.test(type)
  }

  // Handlers of what only a user does. All others may run by themselves: `load`, `error`, `toggle`.
  const BY_USER = /^on(click|dblclick|auxclick|contextmenu|mouse|pointer|touch|key|wheel|input|change|submit|drag|drop|copy|cut|paste)/

  const runsHandlers = (source, text) =>
    /[\s"'/]on\w+\s*=/i.test(text) &&
    Array.from(source.querySelectorAll('*')).some((element) =>
      element.getAttributeNames().some((name) => name.startsWith('on') && !BY_USER.test(name)),
    )

  // A frame of this origin may reach into the page.
  const framesRunScripts = () =>
    Array.from(document.querySelectorAll('iframe,object,embed')).some((frame) => {
      try {
        const content = frame.contentDocument
        return (
          /^javascript:/i.test(frame.src || frame.data) ||
          Array.from(content?.querySelectorAll('script') ?? []).some((script) => !script.matches(ownScript) && isExecutable(script))
        )
      } catch {
        return false // of another origin
      }
    })

  // Whether no script can have read or changed the page, so that the result can be proved.
  const isProvable = (sources, texts, mode) => {
    const scripts = sources.map((source) =>
      Array.from(source.querySelectorAll('script')).filter((script) => !script.matches(ownScript)),
    )
    const executable = scripts.map((list) => list.filter(isExecutable))
    const data = scripts.map((list) => list.filter((script) => !isExecutable(script)))
    if (markup(executable[0]) !== markup(executable[1])) doubt('its scripts have changed')
    if (executable[0].length && markup(data[0]) !== markup(data[1])) doubt('data of its scripts has changed')
    const choices = sources.map((source) => source.documentElement.dataset.tidings)
    if (choices.includes('reload')) doubt('it says data-tidings="reload"')
    const isPure = (script) => script.dataset.tidings === 'pure'
    if (
      executable[0].every(isPure) &&
      !sources.some((source, i) => runsHandlers(source, texts[i])) &&
      !framesRunScripts()
    ) {
      return true
    }
    if (mode !== 'patch' && choices[1] !== 'patch') doubt('it has scripts; --reload patch tries in place')
    return false
  }

