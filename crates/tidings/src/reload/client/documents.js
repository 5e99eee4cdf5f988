  // ---- the documents that this page answers for ----------------------------------------------------
  //
  // Itself, and every frame of its origin that does not listen: one filled by a script, `srcdoc`, an
  // SVG image in an <object>. A frame that listens is a page of its own.

  const answersForItself = Symbol.for('tidings')
  Object.defineProperty(document, answersForItself, { value: true })

  // A document or shadow root, and the open shadow roots below it. Closed ones are not to be found.
  function* rootsIn(root) {
    yield root
    for (const node of root.querySelectorAll('*')) if (node.shadowRoot) yield* rootsIn(node.shadowRoot)
  }

  const contentOf = (frame) => {
    try {
      return frame.contentDocument ?? frame.getSVGDocument?.() ?? null
    } catch {
      return null // of another origin
    }
  }

  const lookAround = () => {
    const around = {
      documents: [],
      roots: [],
      frames: [], // elements whose content does not listen, as far as one can look
      opaque: false, // whether there is one that cannot be looked into
    }
    const visit = (content) => {
      around.documents.push(content)
      for (const root of rootsIn(content)) {
        around.roots.push(root)
        for (const frame of root.querySelectorAll('iframe, frame, object, embed, fencedframe')) {
          const inner = contentOf(frame)
          if (inner?.[answersForItself]) continue
          around.frames.push(frame)
          if (inner) visit(inner)
          else around.opaque = true
        }
      }
    }
    visit(document)
    return around
  }

