  // ---- what can be done about a changed file instead of a reload -------------------------------------
  //
  // One answer for each kind of file, in the order in which they are given: a sheet that is loaded gets the
  // new addresses of what it names. `plan` returns a function that updates every user of the file in place, or
  // null where only a reload is sure to do that. Whatever else can be replaced in a running page (modules that accept
  // their new version) is one more answer.

  const waysToUpdate = [
    { did: 'image', takes: isImage, plan: swapResource },
    { did: 'style', takes: isFont, plan: swapResource },
    { did: 'media', takes: isMedia, plan: swapResource },
    { did: 'style', takes: isSheet, plan: swapSheet },
  ]

  // The updates for all these changes, what they are, and why the page must reload instead.
  const planUpdates = (changes, version, scan, used) => {
    const planned = { updates: [], did: '', why: null }
    const left = new Set(changes)
    for (const { did, takes, plan } of waysToUpdate) {
      for (const change of left) {
        if (!takes(change.path)) continue
        const path = any ? servedPath(change.path, used) : change.path
        if (!path || change.kind === 'removed' || framedFiles(scan).has(path)) continue
        const update = plan(path, version, scan, any ? undefined : change.text)
        if (!update) continue
        left.delete(change)
        planned.updates.push(update)
        planned.did ||= did
      }
    }
    for (const { path } of left) planned.why ??= `${path} ${/\.[cm]?js$/i.test(path) ? 'has run' : 'cannot be replaced in place'}`
    return planned
  }
