// npm @microsoft/fetch-event-source: for requests that an EventSource cannot make. Made for browsers.
import { createRequire } from 'node:module'
import { tell } from './tell.mjs'

globalThis.window = globalThis
globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} }
const { fetchEventSource } = createRequire(import.meta.url)('@microsoft/fetch-event-source')

await fetchEventSource(process.argv[2], {
  openWhenHidden: true,
  onmessage: ({ event, data, id, retry }) => tell(event, data, id, retry),
  onclose() {
    throw new Error('it reconnects only after an error')
  },
})
