// Documents in frames: loaded from a text as a page is, patched, and compared with a fresh load.

const source = await (await fetch('/@tidings/patch.js')).text()

// A frame that has loaded this text, as a page of its own.
export const load = async (text) => {
  const frame = document.createElement('iframe')
  const url = URL.createObjectURL(new Blob([text], { type: 'text/html;charset=utf-8' }))
  frame.style = 'width: 800px; height: 600px'
  const loaded = new Promise((done) => (frame.onload = done))
  frame.src = url
  document.body.append(frame)
  await loaded
  URL.revokeObjectURL(url)
  return frame
}

// A sheet that a patch has put in loads after the patch has ended.
const sheetsLoaded = (root) =>
  Promise.all(
    Array.from(root.querySelectorAll('link[rel=stylesheet]'), (link) =>
      link.sheet?.href === link.href
        ? null
        : new Promise((done) => {
            link.addEventListener('load', done)
            link.addEventListener('error', done)
          }),
    ),
  )

// The patcher of the document in a frame; `sabotage` is given its window before.
export const patcherOf = (frame, sabotage = () => {}) => {
  const window = frame.contentWindow
  let make
  Object.defineProperty(window.document, Symbol.for('tidings'), {
    value: { provide: (name, maker) => (make = maker) },
    configurable: true,
  })
  sabotage(window)
  window.eval(source)
  return make(window).patch
}

// All that can be told of a document: what a fresh load and a patch must agree in.
export const capture = (root) => {
  const lines = []
  const forms = [...root.querySelectorAll('form')]
  const formOf = (node) => forms.indexOf(node.form)
  const visit = (node, indent) => {
    if (node.nodeType === 10) lines.push(`doctype ${node.name} ${node.publicId} ${node.systemId}`)
    if (node.nodeType === 8) lines.push(`${indent}<!--${JSON.stringify(node.data)}`)
    if (node.nodeType === 3) lines.push(`${indent}${JSON.stringify(node.data)}`)
    if (node.nodeType === 1) {
      const attributes = [...node.attributes].map((a) => `${a.namespaceURI ?? ''}|${a.name}=${JSON.stringify(a.value)}`)
      lines.push(`${indent}${node.namespaceURI}|${node.localName} ${attributes.sort().join(' ')}`)
      if (node.localName === 'template' && node.content) children(node.content, `${indent}  #`)
      if (/^(input|textarea|select|option|button)$/.test(node.localName)) {
        lines.push(`${indent}= ${JSON.stringify(node.value)} ${node.checked} ${node.selected} ${node.selectedIndex} ${formOf(node)}`)
      }
      if (/^(audio|video)$/.test(node.localName)) lines.push(`${indent}muted ${node.muted}`)
    }
    children(node, `${indent}  `)
  }
  const children = (node, indent) => {
    for (const child of node.childNodes) visit(child, indent)
  }
  lines.push(root.compatMode, root.title)
  for (const sheet of root.styleSheets) {
    lines.push(`sheet ${sheet.disabled} ${sheet.media.mediaText} ${[...sheet.cssRules].map((rule) => rule.cssText).join(' ')}`)
  }
  children(root, '')
  return lines
}

// The first line in which two captures differ, or null.
export const difference = (is, wanted) => {
  const at = Array.from({ length: Math.max(is.length, wanted.length) }).findIndex((_, i) => is[i] !== wanted[i])
  return at < 0 ? null : { line: at, is: is[at] ?? null, wanted: wanted[at] ?? null }
}

// Patches a page from one text to the next ones, and compares each result with a fresh load.
export const compare = async ([first, ...texts], { mode = 'auto', sabotage } = {}) => {
  const frame = await load(first)
  const patch = patcherOf(frame, sabotage)
  const results = []
  let oldText = first
  for (const newText of texts) {
    const result = patch({ oldText, newText, mode })
    if (result.done) {
      await sheetsLoaded(frame.contentDocument)
      const fresh = await load(newText)
      const found = difference(capture(frame.contentDocument), capture(fresh.contentDocument))
      fresh.remove()
      if (found) result.wrong = found
    }
    results.push(result)
    if (!result.done || result.wrong) break
    oldText = newText
  }
  frame.remove()
  return results
}

// Does something for each of a list, a few at a time: most of it is waiting for frames. The results are in order.
export const forEach = async (list, work) => {
  const results = []
  const rest = list.entries()
  const several = async () => {
    for (const [i, item] of rest) results[i] = await work(item)
  }
  await Promise.all([several(), several(), several()])
  return results
}
