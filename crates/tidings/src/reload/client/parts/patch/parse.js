  // ---- the sources, as documents that nothing runs in ----------------------------------------------

  // DOMParser parses with scripting off, and then <noscript> holds elements. With scripting on, as in the page, it
  // holds text. So does <noframes>, always (HTML 13.2.6.4.4), and it is allowed in almost the same places.
  const parse = (text) => {
    let tags = 0
    let upperCase = false
    const renamed = text.replace(/<(\/?)noscript(?=[\s/>])/gi, (tag, slash) => {
      tags += 1
      upperCase ||= tag !== tag.toLowerCase()
      return `<${slash}noframes`
    })
    const parsed = new DOMParser().parseFromString(renamed, 'text/html')
    if (tags) {
      for (const root of rootsOf(parsed)) {
        for (const element of root.querySelectorAll('noframes')) {
          tags -= 2
          const original = parsed.createElementNS(element.namespaceURI, 'noscript')
          for (const attribute of element.attributes) original.setAttributeNode(attribute.cloneNode())
          original.append(...element.childNodes)
          element.replaceWith(original)
        }
      }
    }
    // Some were no tags, but in a comment, a string, or within another <noscript>.
    if (tags) {
      if (upperCase) doubt('a <NOSCRIPT> outside of the markup')
      const restored = (text) => text.replace(/<(\/?)noframes/g, '<$1noscript')
      for (const root of rootsOf(parsed)) {
        // 133: elements, text and comments
        const nodes = parsed.createTreeWalker(root, 133)
        while (nodes.nextNode()) {
          const node = nodes.currentNode
          for (const item of node.attributes ?? [node]) {
            const field = node.attributes ? 'value' : 'data'
            if (item[field].includes('noframes')) item[field] = restored(item[field])
          }
        }
      }
    }
    return parsed
  }

  // A document, and the content of each template in it.
  function* rootsOf(root) {
    yield root
    for (const template of root.querySelectorAll('template')) if (contentOf(template)) yield* rootsOf(template.content)
  }

  // Our own script element carries what the server knew when it made the page. The live one keeps what it had.
  const ownScript = 'script[data-stream][data-cursor]'

  const alignOwnScript = (source) => {
    const [s, l] = [source, document].map((root) => root.querySelector(ownScript))
    if (!s || !l) return
    // A policy's nonce is new in every response, and the page's own policy knows only the first.
    const { nonce } = s
    if (nonce) for (const element of source.querySelectorAll('[nonce]')) if (element.nonce === nonce) element.setAttribute('nonce', l.nonce)
    // Attribute by attribute it would be refused by a page with Trusted Types.
    s.replaceWith(l.cloneNode())
  }

