// A patcher that does something wrong must end in a reload. What it calls is broken here, one thing at a time.

import { compare, forEach } from './frames.mjs'
import { documentAndEdits } from './random.mjs'

const nothing = () => {}

const SABOTAGE = {
  'elements are not moved': ({ Element }) => (Element.prototype.moveBefore = nothing),
  'attributes are not set': ({ Element }) => (Element.prototype.setAttributeNode = nothing),
  'attributes are not removed': ({ Element }) => (Element.prototype.removeAttributeNS = nothing),
  'elements are not removed': ({ Element }) => (Element.prototype.remove = nothing),
  'texts are not removed': ({ Text }) => (Text.prototype.remove = nothing),
  'texts are not edited': ({ CharacterData }) => (CharacterData.prototype.replaceData = nothing),
  'texts are edited one letter late': ({ CharacterData }) => {
    const { replaceData } = CharacterData.prototype
    CharacterData.prototype.replaceData = function (start, ...more) {
      replaceData.call(this, Math.min(start + 1, this.length), ...more)
    }
  },
  'new nodes go to the end': ({ Node }) => {
    Node.prototype.insertBefore = Node.prototype.appendChild
  },
  'new nodes lack what is in them': ({ Document }) => {
    const { importNode } = Document.prototype
    Document.prototype.importNode = function (node) {
      return importNode.call(this, node, false)
    }
  },
  'templates stay as they were': ({ DocumentFragment }) => (DocumentFragment.prototype.replaceChildren = nothing),
  'fields are not set': (window) => {
    for (const [name, field] of [['HTMLInputElement', 'value'], ['HTMLInputElement', 'checked'], ['HTMLOptionElement', 'selected']]) {
      const { prototype } = window[name]
      const { get } = Object.getOwnPropertyDescriptor(prototype, field)
      Object.defineProperty(prototype, field, { get, set: nothing })
    }
  },
}

// For each sabotage: how many patches were found out, and those that were not.
export const sabotaged = async ({ seed, trials }) => {
  const told = {}
  // Where the attributes alone do not lead to what a load shows.
  const fields = ['checked', ''].map((last) => `<!doctype html><input type=radio name=a checked><input type=radio name=a ${last}>`)
  for (const [name, sabotage] of Object.entries(SABOTAGE)) {
    told[name] = { found: 0, missed: [] }
    await forEach(Array.from({ length: trials }, (_, i) => seed + i), async (trial) => {
      const isOfFields = name === 'fields are not set'
      const texts = isOfFields ? fields : documentAndEdits(trial, [4], location.origin).map(({ text }) => text)
      const [result] = await compare(texts, { sabotage })
      if (result.wrong) told[name].missed.push({ trial, ...result.wrong })
      if (result.wrote) told[name].found += 1
    })
  }
  return told
}
