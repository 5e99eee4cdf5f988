  // ---- style sheets --------------------------------------------------------------------------------
  //
  // What has to be known of them from the start. How they are updated in place is in the part `swap`.

  // Every sheet of a document or shadow root with the element that brought it, imports included.
  function* sheetsIn(root, list = root.styleSheets, owner = null) {
    for (const sheet of list) {
      const node = owner ?? sheet.ownerNode
      yield [sheet, node]
      for (const rule of rulesOf(sheet)) if (rule.styleSheet) yield* sheetsIn(root, [rule.styleSheet], node)
    }
  }

  const rulesOf = (sheet) => {
    try {
      return sheet.cssRules
    } catch {
      return [] // of another origin
    }
  }

  // As they were before any script of the page ran, which may count what is inserted.
  const { insertRule, deleteRule } = CSSStyleSheet.prototype

  // Sheets in which scripts have inserted or deleted rules: nobody else knows these rules.
  const scripted = new WeakSet()
  for (const name of ['insertRule', 'deleteRule', 'addRule', 'removeRule']) {
    watchCalls(CSSStyleSheet.prototype, name, (sheet) => scripted.add(sheet))
  }

