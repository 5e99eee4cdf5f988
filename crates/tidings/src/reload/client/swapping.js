  // ---- in place: what the page has loaded ------------------------------------------------------------

  // The part that plans it. Where a policy of the page may forbid to load it later, it is loaded at once.
  let planner = null
  const loadPlanner = async () =>
    (planner ??= (await part('swap'))({
      any, delay, deleteRule, framedFiles, insertRule, nameOf, pathOf, reasonsFor, refresh, rulesOf, scanDocuments,
      scripted, servedPath, sheetsIn, streamUrl, unversioned,
    }))
  if (any || config.policy === '') loadPlanner().catch(() => {})

  const planUpdates = async (changes, ...known) =>
    changes.length > 0 ? (await loadPlanner())(changes, ...known) : { updates: [], did: '', why: null }

