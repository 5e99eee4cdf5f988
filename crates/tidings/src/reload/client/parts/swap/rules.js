  // ---- in place: the new text of a sheet -----------------------------------------------------------
  //
  // Where the text came with the change, nothing is loaded: the rules that differ are replaced in the sheet
  // that is there. So it is shown in the next frame, and the sheet's place, medium, layers and all that
  // scripts have set stay what they are.

  // The rules of a text, each as it is written (CSS Syntax 5.5.1). Who uses them compares the result with the
  // browser's.
  const splitRules = (text) => {
    const rules = []
    const open = [] // what ends the blocks that are open
    let start = -1
    const tokens = text.matchAll(
      /\/\*[^]*?(?:\*\/|$)|\s+|<!--|-->|"(?:[^"\\\n]|\\[^])*"?|'(?:[^'\\\n]|\\[^])*'?|url\(\s*(?!["'\s])(?:[^)\\]|\\[^])*\)?|(?:[-\w]|[^\0-\x7f]|\\[^])+|[^]/gi,
    )
    for (const { 0: token, index } of tokens) {
      if (start < 0) {
        if (/^(\s|\/\*|<!--|-->)/.test(token)) continue
        start = index
      }
      const end = '})]'['{(['.indexOf(token)]
      if (end) open.push(end)
      else if (token === open.at(-1)) open.pop()
      else if (token !== ';' || text[start] !== '@') continue
      if (end || open.length || !/[;}]/.test(token)) continue
      rules.push(text.slice(start, index + 1))
      start = -1
    }
    if (start >= 0) rules.push(text.slice(start))
    return rules
  }

  const isImport = (text) => /^@import\b/i.test(text)

  // Whether an import rule is what this text says.
  const isImportOf = ({ href, cssText }, text) => {
    const [, url, rest] = text.match(/^@import\s*((?:url\(\s*)?(?:"[^"]*"|'[^']*'|[^"'\s);]+)(?:\s*\))?)([^]*?);?$/i) ?? []
    const plain = (text) => text.trim().replace(/\s+/g, ' ').toLowerCase()
    return (
      url !== undefined &&
      unescaped(url.replace(/^url\(\s*|\s*\)$/gi, '').replace(/^["']|["']$/g, '')) === href &&
      plain(rest) === plain(cssText.replace(/^@import url\("(?:[^"\\]|\\[^])*"\)|;$/g, ''))
    )
  }

  const partsOf = (sheet) => Array.from(sheet.cssRules, (rule) => rule.cssText)

  const parse = (text) => {
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(text)
    return partsOf(sheet)
  }

  // What the rules of a sheet were made from, where that is known. What the browser serialises does not tell
  // all: of `padding: var(--x); padding-left: 0` it loses the first.
  const sources = new WeakMap()

  // Gives a sheet this text. Tells whether it has it now; otherwise it must be loaded.
  const setText = (sheet, text) => {
    try {
      const written = splitRules(text.replace(/\r\n?|\f/g, '\n')).filter((rule) => !/^@charset\b/i.test(rule))
      const { cssRules } = sheet
      // Imports, and the names of layers before them, must be what they are.
      let start = 0
      Array.from(cssRules, ({ styleSheet }, n) => styleSheet !== undefined && (start = n + 1))
      const head = written.splice(0, start)
      const isSame = (text, n) =>
        isImport(text) ? isImportOf(cssRules[n], text) : cssRules[n].cssText === parse(text)[0]
      if (head.length < start || !head.every(isSame) || written.some(isImport)) return false
      const old = partsOf(sheet).slice(start)
      const next = parse(written.join('\n'))
      // Without what the browser does not know.
      const rules = written.length === next.length ? written : written.filter((rule) => parse(rule).length)
      const before = sources.get(sheet)
      const stays = (o, n) =>
        old[o] === next[n] &&
        (before?.length === old.length ? before[o] === rules[n] : !/\b(var|env|attr|if)\(/i.test(rules[n]))
      const shorter = Math.min(old.length, next.length)
      let first = 0
      while (first < shorter && stays(first, first)) first++
      let last = 0
      while (last < shorter - first && stays(old.length - 1 - last, next.length - 1 - last)) last++
      const end = next.length - last
      if (old.length === next.length) {
        for (let n = first; n < end; n++) {
          if (stays(n, n)) continue
          remove(sheet, start + n)
          insert(sheet, rules[n], start + n)
        }
      } else {
        for (let n = old.length - last; n-- > first; ) remove(sheet, start + n)
        for (let n = first; n < end; n++) insert(sheet, rules[n], start + n)
      }
      for (let n = first; n < end; n++) if (cssRules[start + n].cssText !== next[n]) return false
      sources.set(sheet, rules)
      restoreSwapped(sheet)
      return rules.length === next.length && cssRules.length === start + next.length
    } catch {
      return false
    }
  }
