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

  const answerTo = ({ path }) => waysToUpdate.find(({ takes }) => takes(path))

  // The answers to all these changes, or null where the page must reload.
  const planAnswers = (changes, version, scan, used) => {
    const planned = []
    for (const answer of waysToUpdate) {
      for (const { path, kind, text } of changes.filter((change) => answerTo(change) === answer)) {
        const served = any ? servedPath(path, used) : path
        if (!served || kind === 'removed' || framedFiles(scan).has(served)) return null
        const update = answer.plan(served, version, scan, any ? undefined : text)
        if (!update) return null
        planned.push({ did: answer.did, update })
      }
    }
    return planned.length === changes.length ? planned : null
  }
