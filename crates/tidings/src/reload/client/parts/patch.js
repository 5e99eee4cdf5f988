// Patches the page in place: what differs between the old and the new source is done to the live document.
document[Symbol.for('tidings')].provide('patch', () => {
  'use strict'
  return { patch: () => ({ reload: 'not built yet', wrote: false }) }
})
