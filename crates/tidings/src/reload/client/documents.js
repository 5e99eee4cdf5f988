  // ---- the documents that this page updates --------------------------------------------------------
  //
  // Itself, and every frame of its origin without this script: one filled by a script, `srcdoc`, an SVG
  // image in an <object>. A frame with this script updates itself.

  // Calls `seen` with each object that scripts call this method of, and with what that returns. The function has
  // the name that it had, and is no constructor either.
  const watchCalls = (prototype, name, seen) => {
    const method = prototype[name]
    if (!method) return
    prototype[name] = {
      [name](...values) {
        const result = method.apply(this, values)
        seen(this, result)
        return result
      },
    }[name]
  }

  // Shadow roots of scripts, of which closed ones are not to be found later.
  const shadowRoots = new WeakMap()
  watchCalls(Element.prototype, 'attachShadow', (host, root) => shadowRoots.set(host, root))

  // A document or shadow root, and the shadow roots below it. Closed ones are missing if they are in the HTML.
  function* rootsIn(root) {
    yield root
    for (const node of root.querySelectorAll('*')) {
      const shadow = node.shadowRoot ?? shadowRoots.get(node)
      if (shadow) yield* rootsIn(shadow)
    }
  }

  const contentOf = (frame) => {
    try {
      return frame.contentDocument ?? frame.getSVGDocument?.() ?? null
    } catch {
      return null // of another origin
    }
  }

  const scanDocuments = () => {
    const scan = {
      documents: [],
      roots: [],
      frames: [], // elements whose content does not have this script
      opaque: false, // whether the content of one cannot be read
    }
    const visit = (content) => {
      scan.documents.push(content)
      for (const root of rootsIn(content)) {
        scan.roots.push(root)
        for (const frame of root.querySelectorAll('iframe, frame, object, embed, fencedframe')) {
          const inner = contentOf(frame)
          if (inner?.[hasClient]) continue
          scan.frames.push(frame)
          if (inner) visit(inner)
          else scan.opaque = true
        }
      }
    }
    visit(document)
    return scan
  }

