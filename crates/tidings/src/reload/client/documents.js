  // ---- the documents that this page updates --------------------------------------------------------
  //
  // Itself, and every frame of its origin without this script: one filled by a script, `srcdoc`, an SVG
  // image in an <object>. A frame with this script updates itself.

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

