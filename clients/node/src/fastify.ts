/** Plugin for Fastify. */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Admin } from './admin.js'
import type { Identity } from './identity.js'
import type { IssuedToken, TokenFields } from './models.js'
import { judge } from './refusal.js'
import { plainAddress, type ClientRequest, type Logout } from './request.js'
import type { Checker, Validator } from './validator.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose request it is; `null` for an anonymous user. Set by the plugin of `doorward/fastify`. */
    identity: Identity | null
  }
}

/** Settings of the plugin. */
export interface DoorwardOptions {
  checker: Checker
  /** Whether requests without a valid token pass, too; `request.identity` is `null`. */
  optional?: boolean
}

/**
 * Checks the requests of the scope where it is registered, before their bodies are read.
 *
 * Requests without a valid token get 401 or 403, as Doorward says, and all get 503 in an outage.
 */
export async function doorward(
  fastify: FastifyInstance,
  { checker, optional = false }: DoorwardOptions,
): Promise<void> {
  if (!fastify.hasRequestDecorator('identity')) fastify.decorateRequest('identity', null)
  fastify.addHook('onRequest', async (request, reply) => {
    const outcome = await judge(checker, clientRequest(request), optional)
    if (outcome.refusal === undefined) {
      request.identity = outcome.identity
      return
    }
    return reply.code(outcome.refusal.status).headers(outcome.refusal.headers).send()
  })
}

// Fastify's convention for a plugin that works in the scope where it is registered, instead of one of its own.
Object.assign(doorward, { [Symbol.for('skip-override')]: true, [Symbol.for('fastify.display-name')]: 'doorward' })

export default doorward

function clientRequest(request: FastifyRequest): ClientRequest {
  return {
    rawHeaders: request.raw.rawHeaders,
    method: request.method,
    scheme: request.protocol,
    // Fastify 4 has no `host`; its `hostname` has the port.
    host: request.host ?? request.hostname,
    client: plainAddress(request.ip),
  }
}

/**
 * Issues a token to a user who has proved who they are, and sets the cookie in the reply.
 *
 * The address and the user agent are those of the reply's request. With `allowed_cookie: false`, no cookie is set.
 *
 * @throws {Unavailable} in an outage; Fastify answers with 503.
 */
export async function login(
  reply: FastifyReply,
  admin: Admin,
  user: string,
  fields: TokenFields & { ip?: string } = {},
): Promise<IssuedToken> {
  const { ip = clientRequest(reply.request).client, ...rest } = fields
  if (ip === undefined) {
    throw new TypeError("the client's address is unknown on a unix socket: set `trustProxy`, or pass `ip`")
  }
  const user_agent = reply.request.headers['user-agent'] ?? ''
  const token = await admin.issue(user, ip, { user_agent, set_cookie: rest.allowed_cookie !== false, ...rest })
  setCookie(reply, token)
  return token
}

/**
 * Ends the takeover of the reply's request, or else revokes its token, and clears the cookie in the reply.
 *
 * @throws {Unavailable} in an outage; Fastify answers with 503, and the client keeps its cookie.
 */
export async function logout(reply: FastifyReply, validator: Validator): Promise<Logout['ended']> {
  const { ended, setCookies } = await validator.logout(clientRequest(reply.request))
  for (const value of setCookies) reply.header('Set-Cookie', value)
  return ended
}

/** Sets the cookie of a token that was issued or rotated with `set_cookie`. */
export function setCookie(reply: FastifyReply, token: IssuedToken): void {
  if (token.set_cookie !== undefined) reply.header('Set-Cookie', token.set_cookie)
}
