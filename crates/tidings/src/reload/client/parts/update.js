// Gets the source that the page was made from and the new one, and has the part `patch` do to the page what differs.
//
// What must stay true: the page shows what a reload would show. Whatever the new response tells otherwise, such as
// another policy or another file, is a reason to reload.
document[Symbol.for('tidings')].provide('update', (natives) => {
  'use strict'
  const { Array, Object, Promise, TextDecoder, URL, setTimeout } = natives
  const delay = (ms) => new Promise((done) => setTimeout(done, ms))

  // What the page was made from, since it was patched; before that the server has it.
  let source = null

  return ({ ask, any, config, isReloading, part, script, scriptUrl }) => {
    // The response as text, and what the server says about its head.
    const sourceFrom = async (url, init, why) => {
      const { status, head, bytes } = await ask(url, { cache: 'no-store', ...init, whole: true })
      if (status !== 200 || !head) throw why
      return { head, text: new TextDecoder(document.characterSet).decode(bytes) }
    }

    const keptSource = () => {
      const url = new URL('version', scriptUrl)
      url.searchParams.set('id', config.version)
      return sourceFrom(url.href, {}, 'the server has not kept its source')
    }

    // As for a reload.
    const newSource = () => {
      const url = new URL(location.href)
      url.username = url.password = url.hash = '' // fetch refuses the first two
      const isFrame = any ? window !== window.top : scriptUrl.includes('&frame')
      const headers = { 'tidings-patch': isFrame ? 'iframe' : 'document' }
      const referrer = document.referrer.startsWith(`${location.origin}/`) ? document.referrer : ''
      const init = { headers, referrer }
      return sourceFrom(url.href, init, 'its address is not answered with a page')
    }

    // What the server has written into the new source, for a page that would be loaded now. (It writes no value that
    // needs escaping, but for `problem`.)
    const stateIn = (text) => {
      const start = text.indexOf(`<script src="${script.getAttribute('src')}"`)
      const element = start < 0 ? '' : text.slice(start, text.indexOf('></script>', start))
      return Object.fromEntries(Array.from(element.matchAll(/ data-([a-z]+)(?:="([^"]*)")?/g), ([, name, value = '']) => [name, value]))
    }

    // Whether it would be the same page, but for what has happened since.
    const isSamePage = (state) => {
      const changing = ['cursor', 'timestamp', 'newest', 'tree', 'version', 'problem', 'paused']
      const names = Object.keys({ ...config, ...state }).filter((name) => !changing.includes(name))
      return names.every((name) => config[name] === state[name])
    }

    // Whether a source looks as if somebody were just writing it. Then there is another change when they are done.
    const isUnfinished = (text, old) => {
      const [rest, oldRest] = [text, old].map((source) => source.replace(/<script src="[^>]*><\/script>/, '').trim())
      return !rest || (/<\/html>$/i.test(oldRest) && !/<\/html>$/i.test(rest))
    }

    const load = async (sent) => {
      const all = [part('patch'), source ?? keptSource(), sent ?? newSource()]
      let [{ patch }, old, fresh] = await Promise.all(all)
      for (let n = 0; n < 5 && isUnfinished(fresh.text, old.text); n++) {
        await delay(50)
        fresh = await newSource()
      }
      return { patch, old, fresh }
    }

    // Patches the page, with the new source if it is known: `{ head, text }`. Returns up to which event that showed
    // everything when it was read, or throws why the page must reload.
    return async (mode, sent) => {
      const late = delay(10000).then(() => {
        throw 'its address is answered too slowly'
      })
      const { patch, old, fresh } = await Promise.race([load(sent), late])
      const state = stateIn(fresh.text)
      if (isReloading()) throw ''
      if (old.head !== fresh.head) throw 'its headers have changed'
      if (!isSamePage(state)) throw 'its address is answered with another page'
      // What an encoding is guessed from may have changed.
      const isDeclared = document.characterSet === 'UTF-8' || document.querySelector('meta[charset], meta[content*="charset="]')
      if (!isDeclared && /[^\0-\x7f]/.test(fresh.text)) throw 'its encoding is not declared'
      const { reload } = await patch({ oldText: old.text, newText: fresh.text, mode })
      if (reload) throw reload
      source = { head: fresh.head, text: fresh.text }
      return state.cursor
    }
  }
})
