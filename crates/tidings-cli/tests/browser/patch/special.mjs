// Documents that parsers and patchers stumble over, with one edit each. A patch has to end on what a fresh load
// shows; where it is not tried, the reason is told.

import { compare, load, patcherOf } from './frames.mjs'

const page = (body, head = '') => `<!doctype html><html><head><meta charset=utf-8><title>t</title>${head}</head><body>${body}</body></html>`
const long = 'word '.repeat(30_000)
const deep = (text) => '<div>'.repeat(450) + text + '</div>'.repeat(450)
const rows = (numbers) => page(`<ul>${numbers.map((n) => `<li>${n}</li>`).join('\n')}</ul>`)
const numbers = Array.from({ length: 3000 }, (_, i) => i)

// Name, old text, new text.
const PATCHED = [
  ['a fragment', '<p>one<p>two', '<p>one<p>three'],
  ['no tags at all', 'just text', 'other text'],
  ['an empty file gets text', '', 'text'],
  ['comments outside of the root', `<!--a-->${page('one')}<!--b-->`, `<!--a-->${page('two')}<!--b-->`],
  ['a text of 150 KB', page(`<p>${long}`), page(`<p>${long}end`)],
  ['MathML', page('<math><mfrac><mi>x</mi><mn>2</mn></mfrac></math>'), page('<math><mfrac><mi>y</mi><mn>2</mn></mfrac><mo>+</mo></math>')],
  ['SVG with its own names', page('<svg viewBox="0 0 1 1"><linearGradient id=a /><use xlink:href="#a"/></svg>'), page('<svg viewBox="0 0 2 2"><linearGradient id=b /><use xlink:href="#b"/></svg>')],
  ['a line break at the start of pre and textarea', page('<pre>\n\na</pre><textarea>\n\nb</textarea>'), page('<pre>\na</pre><textarea>\nb</textarea>')],
  ['an image in the noscript of the head', page('<p>one', '<noscript><img src=x></noscript>'), page('<p>two', '<noscript><img src=x></noscript>')],
  ['an edited noscript', page('<noscript><p>one</p></noscript>'), page('<noscript><p>two</p><i>x</i></noscript>')],
  ['a noscript in a table', page('<table><noscript>a</noscript><tr><td>one</table>'), page('<table><noscript>a</noscript><tr><td>two</table>')],
  ['NOSCRIPT', page('<NOSCRIPT><p>one</NOSCRIPT>'), page('<NOSCRIPT><p>two</NOSCRIPT>')],
  ['noscript in a comment and an attribute', page('<!-- <noscript> --><p title="<noscript>">one'), page('<!-- <noscript> --><p title="</noscript>">two')],
  ['noscript in a textarea and a style', page('<textarea><noscript></textarea><style>/* <noscript> */</style>one'), page('<textarea><noscript> </textarea><style>/* <noscript> */</style>two')],
  ['a template in a template', page('<template><template><p>one</p></template></template>'), page('<template><template><p>two</p></template></template>')],
  ['a template in SVG', page('<svg><template><p>one</template></svg>'), page('<svg><template><p>two</template></svg>')],
  ['a picture', page('<picture><source srcset="data:,a"><img src="data:,b"></picture>'), page('<picture><source srcset="data:,c"><img src="data:,b"></picture>')],
  ['ids that occur twice', page('<p id=a>1<p id=a>2<p id=b>3<p id=b>4'), page('<p id=b>3<p id=a>2<p id=a>1<p id=b>5')],
  ['two checked radio buttons', page('<input type=radio name=a checked><input type=radio name=a>'), page('<input type=radio name=a checked><input type=radio name=a checked>')],
  ['the first radio button of two becomes the checked one', page('<input type=radio name=a><input type=radio name=a checked>'), page('<input type=radio name=a checked><input type=radio name=a>')],
  ['a second selected option', page('<select><option selected>1<option>2'), page('<select><option selected>1<option selected>2')],
  ['the type of a field', page('<input name=a value=7>'), page('<input name=a value=7 type=range>')],
  ['a form across table rows', page('<table><form><tr><td><input name=a>one</tr></form></table>'), page('<table><form><tr><td><input name=a>two</tr></form></table>')],
  ['details of which one at most is open', page('<details name=a open>1</details><details name=a>2</details>'), page('<details name=a open>1</details><details name=a open>2</details>')],
  ['wrongly nested formatting', page('<p><b>one<p>two</b>three'), page('<p><b>one<p>2</b><i>three')],
  ['450 levels', page(deep('one')), page(deep('two'))],
  ['3000 items the other way round', rows(numbers), rows([...numbers].reverse())],
  ['every third of 3000 items goes', rows(numbers), rows(numbers.filter((n) => n % 3))],
  ['CRLF and a null character', page('one\r\n<p>\0a'), page('two\r\n<p>\0b\r\n')],
  ['character references', page('&lt;b> &nbsp;&eacute;&#x1F600;'), page('&lt;i> &nbsp;&egrave;&#x1F601;')],
  ['half of a surrogate pair changes', page('<p>😀'), page('<p>😁')],
  ['attributes of the root and the body', '<html lang=en><body class=a>x', '<html lang=de dir=ltr><body id=b>x'],
  ['another lang, title and description', page('x', '<meta name=description content=a>'), page('x', '<meta name=description content=b><meta name=author content=c>').replace('>t<', '>u<')],
  ['strange attribute names', page('<p @click=a :b=c "d>x'), page('<p @click=b :b2=c "d e">x')],
  ['an attribute with a namespace goes', page('<svg><use xlink:href="#a" xml:lang=en /></svg>'), page('<svg><use href="#a"/></svg>')],
  ['JSON for search engines', page('x', '<script type=application/ld+json>{"a":1}</script>'), page('y', '<script type=application/ld+json>{"a":2}</script>')],
  ['a swap of nested ids', page('<div id=a>x<div id=b>y</div></div>'), page('<div id=b>y<div id=a>x</div></div>')],
  ['wrapped whole', page('<h1>a</h1><p>b</p><form><input name=q></form>'), page('<main><div><h1>a</h1><p>b</p></div><form><input name=q></form></main>')],
  ['unwrapped whole', page('<main><div><h1>a</h1><p>b</p></div><form><input name=q></form></main>'), page('<h1>a</h1><p>b</p><form><input name=q></form>')],
  ['scripts that say they are pure', page('one<script data-tidings=pure>1</script>'), page('two<p>x</p><script data-tidings=pure>1</script>')],
  ['handlers of what a user does', page('<button onclick="1">one'), page('<button onclick="2">two')],
  ['an edit beside what is kept', page('<div data-tidings=keep>a</div>one'), page('<div data-tidings=keep>a</div>two')],
  ['a form with a field named name', page('<form name=f><input name=name><input id=title name=action></form>one'), page('<form name=f><input name=name><input id=title name=action></form>two')],
  ['a video becomes mute', page('<video autoplay src=data:,></video>one'), page('<video autoplay muted src=data:,></video>two')],
  ['everything is another', page('<div><p>a</p></div><ul><li>b</ul>', '<style>p{}</style>'), page('<table><tr><td>c</table><form><select><option>d</select></form>', '<link rel=icon href=data:,>')],
]

// Name, the reason, old text, new text. The mode is `auto`.
const RELOADED = [
  ['another doctype', 'its doctype has changed', page('x'), page('x').replace('<!doctype html>', '')],
  ['a comment behind the root', 'its doctype has changed', page('x'), `${page('x')}<!--a-->`],
  ['another base', 'its head has changed where browsers read it only once', page('x', '<base href=/a/>'), page('x', '<base href=/b/>')],
  ['another policy', 'its head has changed where browsers read it only once', page('x', "<meta http-equiv=Content-Security-Policy content=\"img-src 'self'\">"), page('x', "<meta http-equiv=Content-Security-Policy content=\"img-src *\">")],
  ['a noscript between head and body', 'the page differs from its source', '<!doctype html><head></head><noscript>a</noscript><body>one', '<!doctype html><head></head><noscript>a</noscript><body>two'],
  ['a declarative shadow root', 'the page differs from its source', page('<div><template shadowrootmode=open>a</template></div>one'), page('<div><template shadowrootmode=open>a</template></div>two')],
  ['a frameset', 'it has elements that cannot be patched', '<frameset><frame src=data:,></frameset>', '<frameset rows=1><frame src=data:,></frameset>'],
  ['a field that hides what elements have', 'a name in it hides properties of elements', page('<form><input name=childNodes>one</form>'), page('<form><input name=childNodes>two</form>')],
  ['another title of a sheet', 'its head has changed where browsers read it only once', page('x', '<style title=a>p{}</style><style title=b>p{}</style>'), page('x', '<style title=b>p{}</style><style title=b>p{}</style>')],
  ['a new row in a form across table rows', 'a form is not closed where it was opened', page('<table><form><tr><td><input></tr></form></table>'), page('<table><form><tr><td><input></tr><tr><td><input name=b></tr></form></table>')],
  ['a form that is no longer closed in its parent', 'a form is not closed where it was opened', page('<div><form></form></div><input>'), page('<div><form></div><input></form>')],
  ['a script', 'it has scripts; --reload patch tries in place', page('<script>1</script>one'), page('<script>1</script>two')],
  ['a module', 'it has scripts; --reload patch tries in place', page('<script type=module>1</script>one'), page('<script type=module>1</script>two')],
  ['an edited script', 'its scripts have changed', page('<script data-tidings=pure>1</script>'), page('<script data-tidings=pure>2</script>')],
  ['a handler that runs by itself', 'it has scripts; --reload patch tries in place', page('<img src=data:, onerror="1">one'), page('<img src=data:, onerror="1">two')],
  ['a frame with a script', 'it has scripts; --reload patch tries in place', page('<iframe srcdoc="<script>1</script>"></iframe>one'), page('<iframe srcdoc="<script>1</script>"></iframe>two')],
  ['data of scripts', 'data of its scripts has changed', page('<script data-tidings=pure>1</script><script type=application/json>1</script>'), page('<script data-tidings=pure>1</script><script type=application/json>2</script>')],
  ['a page that wants to be reloaded', 'it says data-tidings="reload"', '<!doctype html><html data-tidings=reload>one', '<!doctype html><html data-tidings=reload>two'],
  ['an edit of what is kept', 'what says data-tidings="keep" was edited', page('<div data-tidings=keep>one</div>'), page('<div data-tidings=keep>two</div>')],
]

// What was done to the live page, so that its edit has to be a reload.
const DISTURBED = [
  ['a text that was changed', (document) => (document.querySelector('p').firstChild.data = 'other')],
  ['an element that was taken out', (document) => document.querySelector('i').remove()],
  ['an attribute that was changed', (document) => (document.querySelector('p').title = 'other')],
  ['a list that was sorted', (document) => document.querySelector('ul').prepend(document.querySelector('li:last-child'))],
  ['the content of a template', (document) => document.querySelector('template').content.append('x')],
]

export const special = async () => {
  const failed = []
  for (const [name, oldText, newText] of PATCHED) {
    for (const texts of [[oldText, newText, oldText], [newText, oldText]]) {
      for (const result of await compare(texts)) if (!result.done || result.wrong) failed.push({ name, ...result })
    }
  }
  for (const [name, reason, oldText, newText] of RELOADED) {
    const [result] = await compare([oldText, newText])
    if (result.reload !== reason || result.wrote) failed.push({ name, ...result })
  }
  const kept = (end) => page(`<div data-tidings=keep><textarea name=a>a</textarea><b>b</b></div><input name=c>${end}`)
  for (const disturb of [(element) => element.replaceChildren('an editor'), (element) => element.append('more')]) {
    const frame = await load(kept('one'))
    const element = frame.contentDocument.querySelector('div')
    disturb(element)
    const before = element.innerHTML
    const result = patcherOf(frame)({ oldText: kept('one'), newText: kept('two'), mode: 'auto' })
    const isRight = element.innerHTML === before && frame.contentDocument.body.lastChild.data === 'two'
    if (!result.done || !isRight) failed.push({ name: 'an edit beside a kept element that scripts have changed', ...result })
    frame.remove()
  }
  const text = (end) => page(`<p title=t>one</p><i>i</i><ul><li>1<li>2</ul><template>a</template>${end}`)
  for (const [name, disturb] of DISTURBED) {
    const frame = await load(text('one'))
    disturb(frame.contentDocument)
    const result = patcherOf(frame)({ oldText: text('one'), newText: text('two'), mode: 'auto' })
    if (result.reload !== 'the page differs from its source' || result.wrote) failed.push({ name, ...result })
    frame.remove()
  }
  return failed
}

// The source of a frame changes: the session history must not get an entry for that.
export const historyOfFrames = async () => {
  const texts = ['a', 'b', 'c'].map((name) => page(`<iframe srcdoc="${name}"></iframe><iframe src="data:,${name}"></iframe>`))
  const frame = await load(texts[0])
  const patch = patcherOf(frame)
  const before = history.length
  const results = [patch({ oldText: texts[0], newText: texts[1], mode: 'auto' }), patch({ oldText: texts[1], newText: texts[2], mode: 'auto' })]
  await new Promise((done) => (frame.contentDocument.querySelector('iframe').onload = done))
  return { results, entries: history.length - before, text: frame.contentWindow.frames[0].document.body.textContent }
}
