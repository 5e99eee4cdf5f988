const express = require('express')
const compression = require('compression')

const app = express()
app.use(compression({ threshold: 0 }))
app.use(express.static('public', { maxAge: '1h' }))
app.use(express.json())

// An API for pages of other origins, with cookies.
app.use('/api', (request, response, next) => {
  const { origin } = request.headers
  if (origin) {
    response.set({
      'Access-Control-Allow-Origin': origin,
      'Access-Control-Allow-Credentials': 'true',
      'Access-Control-Allow-Headers': 'Content-Type',
      'Access-Control-Allow-Methods': 'GET, PUT',
      Vary: 'Origin',
    })
  }
  if (request.method === 'OPTIONS') return response.sendStatus(204)
  next()
})
app.get('/api/visits', (request, response) => {
  const visits = Number(/visits=(\d+)/.exec(request.headers.cookie)?.[1] ?? 0) + 1
  response.cookie('visits', visits, { httpOnly: true, sameSite: 'lax' })
  response.json({ visits })
})
app.put('/api/items/:name', (request, response) => {
  response.status(201).json({ name: request.params.name, ...request.body })
})
app.get('/api/broken', () => {
  throw new Error('out of order')
})
app.get('/broken', () => {
  throw new Error('out of order')
})

app.listen(process.env.PORT, 'localhost')
