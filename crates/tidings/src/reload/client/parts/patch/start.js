// Updates the page in place after its HTML was saved, where the result is what a reload would show.
//
// Three documents are compared, not two: the source that the page was loaded from (old), the saved one (new), and
// the page as it is now (live), which scripts, extensions and the user may have changed since. Only what differs
// between the two sources is written, and only to nodes that came from the old one. What must stay true: in case of
// any doubt nothing is written, and whatever goes wrong afterwards ends in a reload.
//
// Variables are named for the document that a node belongs to: `o` old, `n` new, `l` live.
document[Symbol.for('tidings')].provide('patch', (natives) => {
  'use strict'
  const { Array, DOMParser, Element, Map, Set, URL, getComputedStyle } = natives

  const doubt = (why) => {
    throw { why }
  }

