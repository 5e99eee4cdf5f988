// npm eventsource-parser: what most SDKs of AI services read streams with, on fetch.
import { createParser } from 'eventsource-parser'
import { tell } from './tell.mjs'

let lastId
let retry = 3000
for (;;) {
  const parser = createParser({
    onEvent({ event, data, id }) {
      lastId = id ?? lastId
      tell(event, data, id, retry)
    },
    onRetry: (ms) => (retry = ms),
    onError: (error) => console.error(String(error)),
  })
  const headers = lastId ? { 'Last-Event-ID': lastId } : {}
  const { body } = await fetch(process.argv[2], { headers })
  const decoder = new TextDecoder()
  for await (const chunk of body) parser.feed(decoder.decode(chunk, { stream: true }))
  await new Promise((done) => setTimeout(done, retry))
}
