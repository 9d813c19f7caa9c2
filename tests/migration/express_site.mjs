// An Express site with express-session in connect-redis (REDIS_URL). Prints its port, then serves:
//
// POST /login?user=NAME   logs a user in; the cookie is in the answer
// GET  /auth              200 with X-Auth-User, or 401
// POST /accounts/logout   destroys the request's session
import { RedisStore } from 'connect-redis'
import express from 'express'
import session from 'express-session'
import { createClient } from 'redis'

const client = await createClient({ url: process.env.REDIS_URL }).connect()
const site = express()
// The first secret signs; all are valid.
const secret = ['the-secret-of-the-site', 'an-older-secret-of-the-site']
site.use(session({ store: new RedisStore({ client }), secret, resave: false, saveUninitialized: false }))

site.post('/login', (request, response) => {
  request.session.user = request.query.user
  response.json({})
})
site.get('/auth', (request, response) => {
  const user = request.session.user
  if (user === undefined) return response.status(401).end()
  response.set('X-Auth-User', user).end()
})
site.post('/accounts/logout', (request, response, next) => {
  request.session.destroy((error) => (error ? next(error) : response.end()))
})

const server = site.listen(0, '127.0.0.1', () => console.log(server.address().port))
