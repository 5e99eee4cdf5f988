  // ---- doing it ------------------------------------------------------------------------------------

  // What loses its state where it is taken out and put in again.
  const FRAGILE = 'iframe,object,embed,audio,video,details,dialog'

  const apply = (removals) => {
    const canMove = 'moveBefore' in Element.prototype
    if (!canMove) {
      for (const l of moves.values()) {
        const isFragile = l.nodeType === 1 && (l.contains(document.activeElement) || l.matches(FRAGILE) || l.querySelector(FRAGILE))
        if (isFragile) doubt('this browser cannot move elements with their state')
      }
    }
    const hosts = new Set() // new nodes that something is moved into
    for (let n of moves.keys()) while ((n = n.parentNode)) hosts.add(n)
    const placeholders = []
    const build = (n) => {
      if (moves.has(n)) {
        const placeholder = document.createComment('')
        placeholders.push([placeholder, moves.get(n)])
        return placeholder
      }
      if (!hosts.has(n)) return document.importNode(n, true)
      const element = document.importNode(n, false)
      for (const child of n.childNodes) element.append(build(child))
      return element
    }
    return () => {
      for (const edit of edits) edit()
      const inserted = new Map()
      for (const { n, l, last } of insertions) {
        const previous = inserted.get(last) ?? last
        const node = build(n)
        inserted.set(n, node)
        l.insertBefore(node, previous ? previous.nextSibling : l.firstChild)
      }
      // Chromium restarts the animations of what is moved into a parent that has no style yet.
      for (const [placeholder] of placeholders) getComputedStyle(placeholder.parentNode).color
      for (const [placeholder, l] of placeholders) {
        const parent = placeholder.parentNode
        if (canMove) parent.moveBefore(l, placeholder)
        else parent.insertBefore(l, placeholder)
        placeholder.remove()
      }
      for (const l of removals) l.remove()
    }
  }

