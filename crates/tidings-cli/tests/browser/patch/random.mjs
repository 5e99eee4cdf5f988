// Random documents without scripts, and random edits of them. The same seed gives the same ones.
//
// A node is a text, or `{ tag, attributes, children }`; the tag of a comment is `!`.

// mulberry32
export const randomFrom = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

const WORDS = 'alpha beta gamma delta one two three four red green blue <b> & "quoted" é ☃ note save'.split(' ')
const VOID = new Set('br hr img input meta link source track wbr base'.split(' '))
const RAW = new Set('style script noscript'.split(' '))
const BLOCKS = 'p div section article ul ol table form blockquote h2 h3 pre details dialog figure svg template noscript dl nav math'.split(' ')
const INLINE = 'b i em a span code img input br label select textarea button small'.split(' ')

export class Generator {
  constructor(seed, origin) {
    this.random = randomFrom(seed)
    this.origin = origin
    this.ids = []
    // A noscript with markup is where most parsers differ from browsers: in a part of the documents only.
    this.hasNoscript = this.random() < 0.35
  }

  below(n) {
    return Math.floor(this.random() * n)
  }

  pick(list) {
    return list[this.below(list.length)]
  }

  chance(probability) {
    return this.random() < probability
  }

  text(most = 5) {
    return Array.from({ length: 1 + this.below(most) }, () => this.pick(WORDS)).join(' ')
  }

  element(tag, attributes = {}, ...children) {
    const node = { tag, attributes, children }
    if (this.chance(0.25)) node.attributes.id = this.id()
    if (this.chance(0.2)) node.attributes.class = this.pick(['a', 'b', 'a b', 'wide'])
    if (this.chance(0.08)) node.attributes[this.pick(['title', 'data-x', 'lang', 'hidden', 'style'])] = this.pick(['', 'x', 'en', 'color: red'])
    return node
  }

  id() {
    if (this.ids.length && this.chance(0.16)) return this.pick(this.ids)
    const id = `i${this.ids.length}`
    this.ids.push(id)
    return id
  }

  document() {
    const head = [
      this.plain('meta', { charset: 'utf-8' }),
      this.plain('title', {}, this.text()),
      ...Array.from({ length: this.below(5) }, () => this.headElement()),
    ]
    const body = Array.from({ length: 2 + this.below(9) }, () => this.block(3))
    const tree = this.plain('html', this.chance(0.5) ? { lang: 'en' } : {}, this.plain('head', {}, ...head), this.plain('body', {}, ...body))
    tree.doctype = this.chance(0.9) ? '<!doctype html>' : ''
    tree.isIndented = this.chance(0.7)
    return tree
  }

  plain(tag, attributes = {}, ...children) {
    return { tag, attributes, children }
  }

  headElement() {
    const kind = this.below(this.hasNoscript ? 8 : 7)
    if (kind === 0) return this.plain('meta', { name: this.pick(['description', 'author', 'theme-color']), content: this.text(2) })
    if (kind === 1) return this.plain('style', {}, `p { margin: ${this.below(9)}px }`)
    if (kind === 2) return this.plain('link', { rel: 'stylesheet', href: `${this.origin}/${this.pick('abc')}.css` })
    if (kind === 3) return this.plain('link', { rel: 'icon', href: 'data:,' })
    if (kind === 4) return { tag: '!', attributes: {}, children: [this.text(2).replace(/[<>"]/g, '')] }
    if (kind === 5) return this.plain('script', { type: 'application/ld+json' }, `{"a": ${this.below(99)}}`)
    if (kind === 6) return this.plain('style', { media: this.pick(['print', 'screen']) }, `b { color: #00${this.below(9)} }`)
    return this.plain('noscript', {}, this.plain('link', { rel: 'x', href: `n${this.below(9)}` }))
  }

  inline(depth) {
    const tag = this.pick(INLINE)
    if (tag === 'img') return this.element('img', { src: `data:,${this.below(5)}`, alt: this.text(1) })
    if (tag === 'input') return this.control()
    if (tag === 'select') return this.select()
    if (tag === 'textarea') return this.element('textarea', { name: `t${this.below(4)}` }, `${this.pick(['', '\n'])}${this.text(3)}`)
    if (VOID.has(tag)) return this.element(tag)
    if (depth <= 0 || this.chance(0.6)) return this.element(tag, tag === 'a' ? { href: `#${this.below(5)}` } : {}, this.text())
    return this.element(tag, {}, ...this.inlines(depth - 1))
  }

  inlines(depth) {
    return Array.from({ length: 1 + this.below(4) }, () => (this.chance(0.5) ? this.text() : this.inline(depth)))
  }

  control() {
    const type = this.pick(['text', 'checkbox', 'radio', 'radio', 'number', 'hidden', 'range', 'email', 'color', 'date', 'submit'])
    const attributes = { type, name: `n${this.below(4)}` }
    if (this.chance(0.5)) attributes.value = this.pick(['', '1', '7', 'x', '#ff0000', '2020-01-02'])
    if (/checkbox|radio/.test(type) && this.chance(0.5)) attributes.checked = ''
    return this.element('input', attributes)
  }

  select() {
    const options = Array.from({ length: 1 + this.below(4) }, (_, i) =>
      this.element('option', this.chance(0.3) ? { value: `v${i}`, selected: '' } : this.chance(0.5) ? { value: `v${i}` } : {}, this.text(1)),
    )
    const attributes = { name: `s${this.below(4)}` }
    if (this.chance(0.2)) attributes.multiple = ''
    if (this.chance(0.1)) attributes.size = '4'
    return this.element('select', attributes, ...options)
  }

  block(depth) {
    const tag = this.pick(BLOCKS)
    const many = (make, most = 4) => Array.from({ length: 1 + this.below(most) }, make)
    const blocks = () => (depth > 0 ? many(() => this.block(depth - 1), 3) : [this.text()])
    if (tag === 'ul' || tag === 'ol') return this.element(tag, {}, ...many(() => this.element('li', {}, ...this.inlines(1)), 6))
    if (tag === 'dl') return this.element(tag, {}, this.element('dt', {}, this.text(2)), this.element('dd', {}, this.text()))
    if (tag === 'table') {
      const columns = 1 + this.below(3)
      const row = () => this.element('tr', {}, ...Array.from({ length: columns }, () => this.element('td', {}, this.text(2))))
      const rows = many(row, 5)
      return this.element(tag, {}, ...(this.chance(0.5) ? [this.plain('tbody', {}, ...rows)] : rows))
    }
    if (tag === 'form') {
      const fields = () => this.plain('p', {}, this.plain('label', {}, this.text(1), this.pick([() => this.control(), () => this.select()])()))
      return this.element(tag, {}, ...many(fields, 5))
    }
    if (tag === 'details') return this.element(tag, this.chance(0.3) ? { open: '' } : {}, this.plain('summary', {}, this.text(2)), ...blocks())
    if (tag === 'dialog') return this.element(tag, this.chance(0.2) ? { open: '' } : {}, this.plain('p', {}, this.text()))
    if (tag === 'svg') {
      return this.element(
        tag,
        { viewBox: '0 0 9 9', width: '9' },
        this.element('circle', { r: `${this.below(9)}`, fill: this.pick(['red', 'blue']) }),
        this.plain('use', { 'xlink:href': `#${this.pick(['x', 'y'])}` }),
        this.plain('foreignObject', {}, this.plain('p', {}, this.text(2))),
      )
    }
    if (tag === 'math') return this.plain(tag, {}, this.plain('mi', {}, this.pick('xyz')), this.plain('mn', {}, `${this.below(9)}`))
    if (tag === 'template') {
      const inner = this.chance(0.2) ? [this.plain('template', {}, this.text(2))] : []
      return this.element(tag, {}, this.plain('p', {}, this.text()), ...inner)
    }
    if (tag === 'noscript') return this.hasNoscript ? this.plain(tag, {}, this.plain('p', {}, this.text(2)), this.plain('img', { src: 'x' })) : this.element('p', {}, this.text())
    if (tag === 'pre') return this.element(tag, {}, `${this.pick(['', '\n'])}${this.text()}\n  ${this.text()}`)
    if (/^(p|h2|h3)$/.test(tag)) return this.element(tag, {}, ...this.inlines(2))
    if (this.chance(0.1)) return { tag: '!', attributes: {}, children: [this.text(2).replace(/[<>"]/g, '')] }
    return this.element(tag, {}, ...blocks())
  }

  // ---- edits --------------------------------------------------------------------------------------

  // Every element below a node but html, head and body, with its parent.
  places(tree, isWanted = () => true) {
    const found = []
    const visit = (node) => {
      node.children.forEach((child, at) => {
        if (typeof child === 'string') return
        if (!/^(html|head|body)$/.test(child.tag) && isWanted(child, node)) found.push({ node: child, parent: node, at })
        visit(child)
      })
    }
    visit(tree)
    return found
  }

  texts(tree, isWanted = () => true) {
    const found = []
    const visit = (node) => {
      node.children.forEach((child, at) => {
        if (typeof child !== 'string') visit(child)
        else if (isWanted(node)) found.push({ parent: node, at })
      })
    }
    visit(tree)
    return found
  }

  // Makes one edit; returns its name, or null where the document has no place for it.
  edit(tree) {
    const [name, make] = this.pick(EDITS)
    return make.call(this, tree) === false ? null : name
  }
}

const copy = (node) => JSON.parse(JSON.stringify(node))
const isInBody = (node, parent) => parent.tag !== 'head'
const isTag = (pattern) => (node) => pattern.test(node.tag)
const remove = ({ parent, at }) => parent.children.splice(at, 1)[0]
const isWithin = (node, outer) => outer === node || outer.children.some((child) => typeof child !== 'string' && isWithin(node, child))

const editText = (change, isWanted) =>
  function (tree) {
    const place = this.pick(this.texts(tree, isWanted))
    if (!place) return false
    place.parent.children[place.at] = change.call(this, place.parent.children[place.at])
  }

const editElement = (change, isWanted) =>
  function (tree) {
    const place = this.pick(this.places(tree, isWanted))
    return place ? change.call(this, place, tree) : false
  }

const isPlainText = (parent) => !/^(style|script|!|option|title)$/.test(parent.tag)
const toggle = (name) =>
  function ({ node }) {
    if (name in node.attributes) delete node.attributes[name]
    else node.attributes[name] = ''
  }

export const EDITS = Object.entries({
  text: editText(function () { return this.text() }, isPlainText),
  word: editText(function (text) { return `${text} ${this.pick(WORDS)}` }, isPlainText),
  whitespace: editText((text) => (text.startsWith(' ') ? text.trimStart() : ` \n ${text}`), isPlainText),
  title: editText(function () { return this.text() }, isTag(/^title$/)),
  style: editText((text) => text.replace(/\d/, (digit) => (Number(digit) + 1) % 10), isTag(/^style$/)),
  data: editText((text) => text.replace(/\d+/, (n) => Number(n) + 1), isTag(/^script$/)),
  comment: editText((text) => `${text}!`, isTag(/^!$/)),
  option: editText(function () { return this.text(1) }, isTag(/^option$/)),
  noscript: editElement(function ({ node }) { node.children.push(this.plain('i', {}, this.text(1))) }, isTag(/^noscript$/)),
  template: editElement(function ({ node }) { node.children.unshift(this.plain('b', {}, this.text(2))) }, isTag(/^template$/)),
  attribute: editElement(function ({ node }) { node.attributes[this.pick(['title', 'data-y', 'lang', 'dir'])] = this.pick(['x', 'y', '']) }, (node) => node.tag !== '!'),
  dropAttribute: editElement(function ({ node }) {
    const name = this.pick(Object.keys(node.attributes).filter((name) => !/charset/.test(name)))
    if (!name) return false
    delete node.attributes[name]
  }),
  class: editElement(function ({ node }) { node.attributes.class = this.pick(['a', 'c', 'a c', '']) }, isInBody),
  id: editElement(function ({ node }) { node.attributes.id = this.id() }, isInBody),
  root(tree) { tree.attributes[this.pick(['lang', 'class', 'data-z'])] = this.pick(['en', 'de', 'x']) },
  body(tree) { tree.children[1].attributes[this.pick(['id', 'class', 'style'])] = this.pick(['p', 'q', 'color: blue']) },
  insert: editElement(function ({ parent, at }) { parent.children.splice(at, 0, this.block(2)) }, isInBody),
  insertFirst(tree) { tree.children[1].children.unshift(this.block(2)) },
  insertLast(tree) { tree.children[1].children.push(this.block(1)) },
  remove: editElement((place) => void remove(place), (node) => !/^(title|meta)$/.test(node.tag)),
  duplicate: editElement(({ parent, at, node }) => void parent.children.splice(at, 0, copy(node)), isInBody),
  swap: editElement(function ({ parent, at }) {
    const other = this.below(parent.children.length)
    ;[parent.children[at], parent.children[other]] = [parent.children[other], parent.children[at]]
  }, isInBody),
  move: editElement(function (place, tree) {
    const target = this.pick(this.places(tree, (node) => /^(div|section|article|blockquote|nav|li|td)$/.test(node.tag) && !isWithin(node, place.node)))
    if (!target) return false
    const node = remove(place)
    target.node.children.splice(this.below(target.node.children.length + 1), 0, node)
  }, isInBody),
  wrap: editElement(function ({ parent, at, node }) {
    parent.children[at] = this.plain(this.pick(['div', 'section']), this.chance(0.3) ? { class: 'wrap' } : {}, node)
  }, isInBody),
  wrapSeveral: editElement(function ({ parent, at }) {
    const several = parent.children.splice(at, 1 + this.below(3))
    parent.children.splice(at, 0, this.plain('section', {}, ...several))
  }, isInBody),
  unwrap: editElement(({ parent, at, node }) => void parent.children.splice(at, 1, ...node.children), (node, parent) => isInBody(node, parent) && node.children.length > 0 && !RAW.has(node.tag) && node.tag !== '!'),
  rename: editElement(({ node }) => void (node.tag = node.tag === 'div' ? 'section' : 'div'), isTag(/^(div|section|article|p|h2|h3|blockquote)$/)),
  replace: editElement(function ({ parent, at }) { parent.children[at] = this.block(2) }, isInBody),
  toComment: editElement(({ parent, at }) => void (parent.children[at] = { tag: '!', attributes: {}, children: ['was here'] }), isInBody),
  row: editElement(function ({ parent, at }) { parent.children.splice(at, 0, this.plain('tr', {}, this.plain('td', {}, this.text(1)))) }, isTag(/^tr$/)),
  rowGone: editElement((place) => void remove(place), isTag(/^tr$/)),
  reverse: editElement(({ node }) => void node.children.reverse(), isTag(/^(ul|ol|tbody|table|select)$/)),
  checked: editElement(toggle('checked'), (node) => /^(checkbox|radio)$/.test(node.attributes.type)),
  selected: editElement(toggle('selected'), isTag(/^option$/)),
  value: editElement(function ({ node }) { node.attributes.value = this.pick(['1', '9', 'z', '#00ff00', '']) }, isTag(/^(input|option)$/)),
  type: editElement(function ({ node }) { node.attributes.type = this.pick(['text', 'checkbox', 'radio', 'hidden']) }, isTag(/^input$/)),
  multiple: editElement(toggle('multiple'), isTag(/^select$/)),
  open: editElement(toggle('open'), isTag(/^(details|dialog)$/)),
  headOrder(tree) {
    const { children } = tree.children[0]
    if (children.length < 4) return false
    children.splice(1 + this.below(children.length - 1), 0, children.pop())
  },
  headInsert(tree) { tree.children[0].children.splice(1 + this.below(tree.children[0].children.length), 0, this.headElement()) },
  headRemove(tree) { tree.children[0].children.length > 2 ? tree.children[0].children.pop() : tree.children[0].children.push(this.headElement()) },
  sheet: editElement(function ({ node }) { node.attributes.href = `${this.origin}/${this.pick('abc')}.css` }, (node) => node.attributes.rel === 'stylesheet'),
  indentation(tree) { tree.isIndented = !tree.isIndented },
  image: editElement(function ({ node }) { node.attributes.src = `data:,${this.below(9)}` }, isTag(/^img$/)),
})

// ---- the text of a document ------------------------------------------------------------------------

const escaped = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;')

export const htmlOf = (tree) => {
  const write = (node, indent, parent) => {
    if (typeof node === 'string') return RAW.has(parent.tag) ? node : escaped(node)
    if (node.tag === '!') return `<!--${node.children.join('')}-->`
    const attributes = Object.entries(node.attributes).map(([name, value]) => ` ${name}="${escaped(value).replace(/"/g, '&quot;')}"`)
    const start = `<${node.tag}${attributes.join('')}>`
    if (VOID.has(node.tag)) return start
    const isBlock = tree.isIndented && /^(html|head|body|div|section|article|ul|ol|table|tbody|form|blockquote|nav)$/.test(node.tag)
    const [inner, outer] = isBlock ? [`\n${indent}  `, `\n${indent}`] : ['', '']
    const children = node.children.map((child) => inner + write(child, `${indent}  `, node))
    return `${start}${children.join('')}${children.length ? outer : ''}</${node.tag}>`
  }
  return `${tree.doctype}\n${write(tree, '', tree)}\n`
}

// A document, and what it becomes by some edits, one after the other.
export const documentAndEdits = (seed, steps, origin) => {
  const generator = new Generator(seed, origin)
  const tree = generator.document()
  const versions = [{ text: htmlOf(tree), edits: [] }]
  for (const count of steps) {
    const edits = []
    for (let tries = 0; edits.length < (count || 1 + generator.below(3)) && tries < 50; tries++) {
      const name = generator.edit(tree)
      if (name) edits.push(name)
    }
    // Rarely, because it always has to be a reload.
    if (generator.chance(0.01)) {
      tree.doctype = tree.doctype ? '' : '<!doctype html>'
      edits.push('doctype')
    }
    versions.push({ text: htmlOf(tree), edits })
  }
  return versions
}
