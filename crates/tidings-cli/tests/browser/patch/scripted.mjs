// One page, with each of many scripts, and each of many edits: what may be patched, and what comes out wrong.

import { capture, difference, forEach, load, patcherOf } from './frames.mjs'

const page = ({
  lang = 'en', title = 'Shop', description = 'd', style = 'p { margin: 1px }', heading = 'First Steps', text = 'Alpha beta gamma.',
  second = 'Delta four words more.', link = '#a', image = 'data:,1', cells = [30, 70, 50], items = ['apple', 'pear', 'plum'],
  label = 'Details', code = 'let x = 1', data = '["red","green"]', source = '# Note\nsome *words*', extra = '', extraCss = '',
  sections = ['one', 'two'], note = '',
}, script) => `<!doctype html><html lang=${lang}><head><meta charset=utf-8><title>${title}</title>
<meta name=description content="${description}"><style>${style}</style></head><body>
<nav id=toc></nav><p>Items: <b id=count></b>, words: <b id=words></b>, year: <b id=year></b></p>
<main><h2>${heading}</h2><p class="text${extraCss}">${text}</p>${note}<p>${second} <a href="${link}">link</a> <img src="${image}" alt=i></p>
${extra}<h2>Prices</h2><table><tr><th>n</th></tr>${cells.map((cell) => `<tr><td>${cell}</td></tr>`).join('')}</table>
<div id=chart></div><ul id=list>${items.map((item) => `<li>${item}</li>`).join('')}</ul><div id=dots></div>
${sections.map((section) => `<section><h3>Part ${section}</h3><p>About ${section}.</p></section>`).join('\n')}
<div id=tabs><button>Overview</button><button>${label}</button></div><pre><code>${code}</code></pre>
<script type=application/json id=data>${data}</script><div id=json></div>
<script type=text/plain id=source>${source}</script><div id=rendered></div>
<x-card>${label}</x-card><img data-src="${image}" class=lazy><input id=search><ul id=results></ul></main>
${script && `<script>${script}</script>`}</body></html>`

const EDITS = {
  'text of a paragraph': { text: 'Alpha beta edited.' },
  'longer text': { second: 'Delta four words more and more.' },
  'text of a heading': { heading: 'Second Steps' },
  'text of an item': { items: ['apple', 'cherry', 'plum'] },
  'a cell': { cells: [30, 90, 50] },
  'a new paragraph': { extra: '<p>New here.</p>' },
  'a new heading': { extra: '<h2>New here</h2>' },
  'a new item': { items: ['apple', 'pear', 'plum', 'fig'] },
  'an item gone': { items: ['apple', 'plum'] },
  'a new row': { cells: [30, 70, 50, 10] },
  'a section gone': { sections: ['two'] },
  'sections in another order': { sections: ['two', 'one'] },
  'a class': { extraCss: ' wide' },
  'the target of a link': { link: '#b' },
  'the source of an image': { image: 'data:,2' },
  'the title': { title: 'Store' },
  'the description': { description: 'other' },
  'a style': { style: 'p { margin: 2px }' },
  'code': { code: 'let y = 2' },
  'data': { data: '["red","blue"]' },
  'the language': { lang: 'de' },
}

const query = 'const $ = (s) => document.querySelector(s), $$ = (s) => [...document.querySelectorAll(s)];'
const SCRIPTS = {
  none: '',
  toc: "$('#toc').innerHTML = $$('main h2').map((h) => '<a href=#>' + h.textContent + '</a>').join('')",
  highlighter: "$$('code').forEach((c) => c.innerHTML = c.textContent.replace(/\\w+/g, '<span>$&</span>'))",
  chart: "$('#chart').innerHTML = $$('td').map((d) => '<i style=\"width:' + d.textContent + 'px\"></i>').join('')",
  tabs: "$$('#tabs button').forEach((b, i) => { b.setAttribute('aria-selected', i === 0); b.onclick = () => $$('#tabs button').forEach((c) => c.setAttribute('aria-selected', c === b)) })",
  theme: "document.documentElement.classList.add('dark')",
  sorted: "const t = $('tbody'); [...t.rows].slice(1).sort((a, b) => a.textContent - b.textContent).forEach((r) => t.append(r))",
  words: "$('#words').textContent = $('main').innerText.split(/\\s+/).length",
  year: "$('#year').textContent = 2026",
  lazy: "$$('.lazy').forEach((i) => { i.src = i.dataset.src; i.classList.add('loaded') })",
  element: "customElements.define('x-card', class extends HTMLElement { connectedCallback() { this.title = this.textContent } })",
  json: "$('#json').innerHTML = JSON.parse($('#data').textContent).map((c) => '<i>' + c + '</i>').join('')",
  listeners: "$$('li').forEach((l) => l.onclick = () => l.classList.toggle('on'))",
  delegated: "document.addEventListener('click', (e) => e.target.matches('li') && e.target.classList.toggle('on'))",
  markdown: "$('#rendered').innerHTML = $('#source').textContent.replace(/^# (.*)/m, '<h4>$1</h4>')",
  count: "$('#count').textContent = $$('li').length",
  dots: "$('#dots').innerHTML = $$('#list li').map(() => '<i>.</i>').join('')",
  search: "const index = $$('p').map((p) => p.textContent); $('#search').oninput = (e) => $('#results').innerHTML = index.filter((t) => t.includes(e.target.value)).map((t) => '<li>' + t + '</li>').join('')",
  anchors: "$$('h2').forEach((h) => h.id = h.textContent.toLowerCase().replace(/\\W+/g, '-'))",
  links: "$$('main a').forEach((a) => { a.rel = 'external'; a.append(' ↗') })",
}

const settled = () => new Promise((done) => setTimeout(done))

// What a user does then, which shows what scripts have listened for and kept.
const use = async (document) => {
  for (const element of document.querySelectorAll('li,button')) element.click()
  const search = document.querySelector('#search')
  search.value = 'e'
  search.dispatchEvent(new Event('input', { bubbles: true }))
  await settled()
}

const outcome = async (mode, body, change) => {
  const script = body && `{ ${query} ${body} }`
  const [oldText, newText] = [page({}, script), page(change, script)]
  const frame = await load(oldText)
  const { reload, wrote } = patcherOf(frame)({ oldText, newText, mode })
  let result = wrote ? 'broken' : 'reloaded'
  if (!reload) {
    const fresh = await load(newText)
    await use(frame.contentDocument)
    await use(fresh.contentDocument)
    result = difference(capture(frame.contentDocument), capture(fresh.contentDocument)) ? 'wrong' : 'equal'
    fresh.remove()
  }
  frame.remove()
  return result
}

// The number of cases that were patched and equal, or left to a reload, and the names of those that came out wrong.
export const scripted = async (mode) => {
  const cases = Object.entries(SCRIPTS).flatMap(([name, body]) =>
    Object.entries(EDITS).map(([edit, change]) => ({ name: `${name}, ${edit}`, body, change })),
  )
  const results = await forEach(cases, ({ body, change }) => outcome(mode, body, change))
  const named = (wanted) => cases.filter((_, i) => results[i] === wanted).map(({ name }) => name)
  return { equal: named('equal').length, reloaded: named('reloaded').length, wrong: named('wrong'), broken: named('broken') }
}
