/**
 * The same site in each framework:
 *
 * GET  /account          whose request it is; needs a token
 * GET  /public           whose request it is, or null
 * POST /login?user=NAME  logs a user in; the answer has the cookie
 * POST /logout           logs out
 * GET  /broken           a call that Doorward refuses
 */

import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { Admin, type Checker, type Identity, type Validator } from 'doorward'
import { login, logout, optional, required } from 'doorward/express'
import * as plugin from 'doorward/fastify'
import express5 from 'express'
// @ts-expect-error: its types are version 5's.
import express4 from 'express-4'
import { fastify as fastify5 } from 'fastify'
import { fastify as fastify4 } from 'fastify-4'

process.env['NODE_ENV'] = 'test'

export interface Parts {
  checker: Checker
  validator: Validator
  admin: Admin
  adminUrl: string
}

export interface Site {
  url: string
}

/** Starts the site, and ends it with the test. */
export type StartSite = (t: TestContext, parts: Parts, trustProxy?: boolean) => Promise<Site>

function shown(identity: Identity | null | undefined): object {
  return { user: identity?.user ?? null, actor: identity?.actor ?? null, via: identity?.via ?? null }
}

function onExpress(express: typeof express5): StartSite {
  return (t, { checker, validator, admin, adminUrl }, trustProxy = false) => {
    const app = express()
    app.set('trust proxy', trustProxy)
    app.get('/account', required(checker), (req, res) => void res.json(shown(req.identity)))
    app.get('/public', optional(checker), (req, res) => void res.json(shown(req.identity)))
    // Version 4 does not catch what an asynchronous handler throws.
    app.post('/login', (req, res, next) => {
      login(res, admin, String(req.query['user'])).then(({ id }) => res.json({ id }), next)
    })
    app.post('/logout', (_, res, next) => {
      logout(res, validator).then((ended) => res.json({ ended }), next)
    })
    app.get('/broken', (_, __, next) => void new Admin(adminUrl, 'wrong').show('abc').catch(next))
    return listen(t, app)
  }
}

async function listen(t: TestContext, listener: RequestListener): Promise<Site> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections?.()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

function onFastify(fastify: typeof fastify5): StartSite {
  return async (t, { checker, validator, admin, adminUrl }, trustProxy = false) => {
    const app = fastify({ trustProxy, forceCloseConnections: true })
    app.post<{ Querystring: { user: string } }>('/login', async (request, reply) => {
      const { id } = await plugin.login(reply, admin, request.query.user)
      return { id }
    })
    app.post('/logout', async (_, reply) => ({ ended: await plugin.logout(reply, validator) }))
    app.get('/broken', () => new Admin(adminUrl, 'wrong').show('abc'))
    app.register(async (members) => {
      members.register(plugin.doorward, { checker })
      members.get('/account', async (request) => shown(request.identity))
    })
    app.register(async (guests) => {
      guests.register(plugin.doorward, { checker, optional: true })
      guests.get('/public', async (request) => shown(request.identity))
    })
    t.after(() => app.close())
    return { url: await app.listen({ port: 0, host: '127.0.0.1' }) }
  }
}

export const FRAMEWORKS: Readonly<Record<string, StartSite>> = {
  'Express 5': onExpress(express5),
  'Express 4': onExpress(express4 as typeof express5),
  'Fastify 5': onFastify(fastify5),
  'Fastify 4': onFastify(fastify4 as unknown as typeof fastify5),
}
