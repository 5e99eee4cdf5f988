  // ---- in place: the page itself -------------------------------------------------------------------
  //
  // The part `update` gets the source that the page was made from and the new one, and the part `patch` does to the
  // page what differs. This tells when there is nothing to patch. In case of doubt it says why, and the page reloads.

  // A page that was patched shows all that had happened up to here.
  let patchedTo = config.cursor
  const pageAddress = () => location.href.split('#')[0]
  const loadedAt = pageAddress()

  // What a backend makes pages of, mostly. What else it uses may show in any file that the page has loaded.
  const isMarkup = (path) =>
    !/\.(css|js|svg|json|xml)\.\w+$/i.test(path) &&
    /\.([xds]?html?|[gt]?html\w?|tmpl|tpl|twig|jinja2?|j2|njk|liquid|mustache|hbs|handlebars|ejs|erb|haml|slim|pug|tera|md|markdown|rst|adoc|txt)$/i.test(path)

  // Whether a change shows in the response to the page's own address, and nowhere else.
  const isOfPage = ({ path, kind }, used, scan) => {
    if (!any) return path === file || Boolean(listing)
    if (!path) return true
    return kind !== 'removed' && isMarkup(path) && !hasRequested(scan) && [...used].every((other) => nameOf(other) !== nameOf(path))
  }

  // Whether its scripts have requested anything, which may be made of any file of the backend: a part of a page.
  const hasRequested = ({ documents }) =>
    documents.some(({ defaultView: view }) =>
      view && [...loadsOf(view).paths.values()].some((reasons) => reasons.has('fetch') || reasons.has('xmlhttprequest')),
    )

  // Another run of the backend may answer anything differently: the page, and all that it has loaded. (An icon that no
  // page names is the browser's affair.)
  const everything = () => {
    const used = [...filesUsed(scanDocuments())].filter((path) => path !== '/favicon.ico')
    return ['', ...used].map((path) => ({ path }))
  }

  const isRun = (element) =>
    element !== script && /^$|(java|ecma)script|^module$/i.test(element.type) && element.dataset.tidings !== 'pure'

  // The page's own wish, or that of the server's user.
  const mode = () => {
    const wish = document.documentElement?.getAttribute('data-tidings')
    return config.reload !== 'full' && ['patch', 'reload'].includes(wish) ? wish : (config.reload ?? 'auto')
  }

  // Why the page reloads in any case; null where it may be patched.
  const whyNotPatched = () => {
    if (!config.version) return ''
    if (owesReload) return 'an earlier change needs a reload'
    if (mode() === 'reload') return 'it says data-tidings=reload'
    if (document.readyState !== 'complete') return 'it was still loading'
    if (navigator.serviceWorker?.controller) return 'it has a service worker'
    if (hasPolicy() && !joined?.worker) return 'its policy forbids it to ask for its source'
    if (any && pageAddress() !== loadedAt) return 'a script has changed its address'
    const isRefused = mode() === 'auto' && [...document.querySelectorAll('script')].some(isRun)
    return isRefused ? 'it has scripts; --reload patch tries in place' : null
  }

  // The new source, where a change brings it along and the page's address is certainly answered with that file.
  const sentSource = (changes) => {
    const path = pathOf(location.href)
    const isFrame = scriptUrl.includes('&frame')
    const isSent = (change) => change.head && change.path === file && [path, `${path}index.html`].includes(file)
    return (!any && !isFrame && changes.find(isSent)) || null
  }

  // Patches the page for this event. Returns null, or why it must reload.
  let update = null
  const patchPage = async (id, changes) => {
    try {
      update ??= (await part('update'))({ ask, any, config, isReloading: () => reloading, part, script, scriptUrl })
      const cursor = await update(mode(), sentSource(changes))
      patchedTo = isAfter(id, cursor) ? id : cursor
      return null
    } catch (why) {
      return typeof why === 'string' ? why : 'the patcher has failed'
    }
  }

  // Whoever goes to their editor comes back with a change.
  const loadPatcher = () => part('update').then(() => part('patch')).catch(() => {})
  const prepare = () => {
    loadPlanner().catch(() => {})
    if (whyNotPatched() === null) loadPatcher()
  }
  addEventListener('blur', prepare, { once: true })
  if (config.version && config.policy === '') loadPatcher()
