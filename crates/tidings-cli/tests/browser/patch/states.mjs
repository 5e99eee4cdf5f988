// What a user, an extension or the browser has done to a page stays when it is patched: each state, with four
// edits around the element that has it.

import { load, patcherOf } from './frames.mjs'

// In front of and behind the element, of which there is nothing else to be known by.
const page = ({ intro = 'intro', top = '', element, around = [element, '<p>sibling</p>'] }) =>
  `<!doctype html><html><head><meta charset=utf-8><title>t</title><style>
@keyframes turn { to { margin-left: 90px } }
.box { height: 50px; overflow: auto } .tall { height: 900px }
</style></head><body>
${top}<p class=intro>${intro}</p>
${around.join('\n')}
<p>end</p>
<div class=tall>tall</div></body></html>`

// The edits, and whether each is to be seen.
const EDITS = {
  text: {
    change: (element) => page({ element, intro: 'edited' }),
    isShown: (document) => document.querySelector('.intro').textContent === 'edited',
  },
  before: {
    change: (element) => page({ element, top: '<h2>new</h2>\n<p>newer</p>\n' }),
    isShown: (document) => document.body.firstElementChild.textContent === 'new',
  },
  move: {
    change: (element) => page({ element, around: ['<p>sibling</p>', element] }),
    isShown: (document) => document.querySelector('.intro').nextElementSibling.textContent === 'sibling',
  },
  wrap: {
    change: (element) => page({ element, around: [`<section>${element}</section>`, '<p>sibling</p>'] }),
    isShown: (document) => document.querySelector('.intro').nextElementSibling.localName === 'section',
  },
}

const silence = () => {
  const wave = `RIFF\xff\xff\xff\x7fWAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\0\x80\0\0${'\x80'.repeat(32768)}`
  return `data:audio/wav;base64,${btoa(wave)}`
}

const frames = (window, n = 2) =>
  new Promise((done) => {
    const next = () => (n-- > 0 ? window.requestAnimationFrame(next) : done())
    next()
  })

// `set` brings the state about and may return what `holds` needs.
const STATES = {
  'focus, caret and typed text': {
    element: '<p><input name=a></p>',
    set: (_, document) => {
      const input = document.querySelector('input')
      input.focus()
      input.value = 'typed'
      input.setSelectionRange(2, 3)
      return input
    },
    holds: (input, _, document) =>
      document.activeElement === input && input.value === 'typed' && input.selectionStart === 2 && input.selectionEnd === 3,
  },
  'typed text without focus': {
    element: '<p><textarea>default</textarea></p>',
    set: (_, document) => void (document.querySelector('textarea').value = 'typed'),
    holds: (_, __, document) => document.querySelector('textarea').value === 'typed',
  },
  'what was chosen': {
    element:
      '<form><select><option>1<option>2<option>3</select><input type=checkbox checked><input type=radio name=r checked><input type=radio name=r></form>',
    set: (_, document) => {
      document.querySelector('select').selectedIndex = 2
      document.querySelector('[type=checkbox]').checked = false
      document.querySelectorAll('[type=radio]')[1].checked = true
    },
    holds: (_, __, document) =>
      document.querySelector('select').selectedIndex === 2 &&
      !document.querySelector('[type=checkbox]').checked &&
      document.querySelectorAll('[type=radio]')[1].checked,
  },
  'opened details': {
    element: '<details><summary>s</summary>d</details>',
    set: (_, document) => void (document.querySelector('details').open = true),
    holds: (_, __, document) => document.querySelector('details').open,
  },
  'a modal dialog': {
    element: '<dialog>d</dialog>',
    set: (_, document) => document.querySelector('dialog').showModal(),
    holds: (_, __, document) => document.querySelector('dialog').matches(':modal'),
  },
  'a scrolled box': {
    element: '<div class=box><div class=tall>x</div></div>',
    set: (_, document) => void (document.querySelector('.box').scrollTop = 77),
    holds: (_, __, document) => document.querySelector('.box').scrollTop === 77,
  },
  'a text selection': {
    element: '<blockquote>select this text</blockquote>',
    set: (window, document) => window.getSelection().setBaseAndExtent(document.querySelector('blockquote').firstChild, 7, document.querySelector('blockquote').firstChild, 11),
    holds: (_, window) => `${window.getSelection()}` === 'this',
  },
  'a CSS animation': {
    element: '<i style="animation: turn 100s">x</i>',
    set: (_, document) => document.querySelector('i').getAnimations()[0],
    holds: (animation, _, document) => document.querySelector('i').getAnimations()[0] === animation && animation.playState === 'running',
  },
  'an animation from a script': {
    element: '<i>x</i>',
    set: (_, document) => document.querySelector('i').animate([{ opacity: 0 }, { opacity: 1 }], 100000),
    holds: (animation, _, document) => document.querySelector('i').getAnimations()[0] === animation && animation.playState === 'running',
  },
  'the document of a frame': {
    element: '<iframe srcdoc="<p>frame"></iframe>',
    set: (window) => void (window.frames[0].mark = true),
    holds: (_, window) => window.frames[0].mark === true,
  },
  'pixels of a canvas': {
    element: '<canvas width=9 height=9></canvas>',
    set: (_, document) => document.querySelector('canvas').getContext('2d').fillRect(0, 0, 9, 9),
    holds: (_, __, document) => document.querySelector('canvas').getContext('2d').getImageData(1, 1, 1, 1).data[3] === 255,
  },
  'audio that plays': {
    element: `<audio muted loop src="${silence()}"></audio>`,
    set: async (_, document) => {
      const audio = document.querySelector('audio')
      await audio.play()
      return audio
    },
    holds: (audio, _, document) => document.querySelector('audio') === audio && !audio.paused,
  },
  'a listener': {
    element: '<button>b</button>',
    set: (_, document) => {
      const heard = { times: 0 }
      document.querySelector('button').addEventListener('click', () => (heard.times += 1))
      return heard
    },
    holds: (heard, _, document) => {
      document.querySelector('button').click()
      return heard.times === 1
    },
  },
  'an instance of a custom element': {
    element: '<x-one>x</x-one>',
    set: (window, document) => {
      window.eval("customElements.define('x-one', class extends HTMLElement { connectedCallback() { this.times = (this.times ?? 0) + 1 } })")
      return document.querySelector('x-one')
    },
    holds: (one, _, document) => document.querySelector('x-one') === one && one.times === 1,
  },
  'a container that was filled': {
    element: '<div class=app></div>',
    set: (_, document) => void (document.querySelector('.app').innerHTML = '<p>made</p>'),
    holds: (_, __, document) => document.querySelector('.app').innerHTML === '<p>made</p>',
  },
  'a node that was put into the body': {
    element: '<p>x</p>',
    set: (_, document) => document.body.append(Object.assign(document.createElement('aside'), { textContent: 'toast' })),
    holds: (_, __, document) => document.body.lastElementChild.textContent === 'toast',
  },
  'classes of html and body': {
    element: '<p>x</p>',
    set: (_, document) => {
      document.documentElement.className = 'dark'
      document.body.classList.add('ready')
    },
    holds: (_, __, document) => document.documentElement.className === 'dark' && document.body.className === 'ready',
  },
  'a style that was put into the head': {
    element: '<p>x</p>',
    set: (_, document) => document.head.append(Object.assign(document.createElement('style'), { textContent: 'p { color: red }' })),
    holds: (_, window, document) => window.getComputedStyle(document.querySelector('p')).color === 'rgb(255, 0, 0)',
  },
  'the node and attribute of an extension': {
    element: '<p><input name=a></p>',
    set: (_, document) => {
      const input = document.querySelector('input')
      input.setAttribute('data-lastpass', '1')
      input.after(document.createElement('x-icon'))
    },
    holds: (_, __, document) => document.querySelector('input[data-lastpass] + x-icon') !== null,
  },
  'the scroll of the window': {
    element: '<p class=here>x</p>',
    set: async (window, document) => {
      window.scrollTo(0, 300)
      await frames(window)
      return document.querySelector('.tall').getBoundingClientRect().top
    },
    // The browser keeps what is on the screen where it was, if something above has come or gone.
    holds: async (top, window, document) => {
      await frames(window)
      return window.scrollY === 300 || Math.abs(document.querySelector('.tall').getBoundingClientRect().top - top) < 2
    },
  },
}

export const states = async () => {
  const lost = []
  let cells = 0
  for (const [state, { element, set, holds }] of Object.entries(STATES)) {
    for (const [edit, { change, isShown }] of Object.entries(EDITS)) {
      const oldText = page({ element })
      const frame = await load(oldText)
      const { contentWindow, contentDocument } = frame
      const handle = await set(contentWindow, contentDocument)
      const result = patcherOf(frame)({ oldText, newText: change(element), mode: 'auto' })
      cells += 1
      if (!result.done) lost.push(`${state}, ${edit}: ${result.reload}`)
      else if (!isShown(contentDocument)) lost.push(`${state}, ${edit}: the edit is not to be seen`)
      else if (!(await holds(handle, contentWindow, contentDocument))) lost.push(`${state}, ${edit}`)
      frame.remove()
    }
  }
  return { cells, lost }
}

// What the user has set stays even where the edit is about that very field; any other field gets its new default.
export const fields = async () => {
  const text = (value, checked, selected) =>
    `<!doctype html><form><input name=a value="${value}"><input name=b value="${value}">
<input type=radio name=r${checked === 0 ? ' checked' : ''}><input type=radio name=r><input type=radio name=r${checked === 2 ? ' checked' : ''}>
<input type=radio name=s${checked === 0 ? ' checked' : ''}><input type=radio name=s${checked === 2 ? ' checked' : ''}>
<select>${[0, 1, 2].map((i) => `<option${i === selected ? ' selected' : ''}>${i}`).join('')}</select>
<select>${[0, 1, 2].map((i) => `<option${i === selected ? ' selected' : ''}>${i}`).join('')}</select></form>`
  const frame = await load(text('old', 0, 0))
  const controls = [...frame.contentDocument.querySelectorAll('input,select')]
  controls[0].value = 'typed'
  controls[3].checked = true
  controls[7].selectedIndex = 1
  const result = patcherOf(frame)({ oldText: text('old', 0, 0), newText: text('new', 2, 2), mode: 'auto' })
  const now = controls.map((control) => (control.type === 'radio' ? control.checked : control.value))
  frame.remove()
  return { ...result, now }
}
