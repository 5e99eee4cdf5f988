// Updates style sheets, images, fonts, media, and whatever else has an address, in place.
//
// What must stay true: every use of a file is updated, or the page reloads. What cannot be read, and what the browser
// has loaded for a reason that no known use explains, is such a use.
document[Symbol.for('tidings')].provide('swap', (natives) => (page) => {
  'use strict'

  const {
    Array, Boolean, CSSStyleSheet, Error, FontFace, Image, Map, Math, Object, Promise, Set, String, URL, WeakMap,
    navigator, parseInt, performance, setTimeout,
  } = natives
  const {
    any, delay, deleteRule, framedFiles, insertRule, nameOf, pathOf, reasonsFor, refresh, rulesOf, scanDocuments,
    scripted, servedPath, sheetsIn, streamUrl, unversioned,
  } = page
  const insert = (sheet, rule, at) => insertRule.call(sheet, rule, at)
  const remove = (sheet, at) => deleteRule.call(sheet, at)

