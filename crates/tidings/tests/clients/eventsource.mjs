// npm eventsource: what Node programs use in the place of a browser's EventSource.
import { EventSource } from 'eventsource'
import { tell } from './tell.mjs'

const source = new EventSource(process.argv[2])
for (const name of ['message', 'tick', 'gap']) {
  source.addEventListener(name, ({ type, data, lastEventId }) => tell(type, data, lastEventId))
}
