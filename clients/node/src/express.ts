/** Middleware for Express, and for every framework with handlers of `(request, response, next)`. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Admin } from './admin.js'
import type { Identity } from './identity.js'
import type { IssuedToken, TokenFields } from './models.js'
import { judge } from './refusal.js'
import { clientRequest, type Logout } from './request.js'
import type { Checker, Validator } from './validator.js'

declare global {
  namespace Express {
    interface Request {
      /** Whose request it is; `null` for an anonymous user. Set by `required` and `optional`. */
      identity?: Identity | null
    }
  }
}

/** Middleware that sets `request.identity`. */
export type Middleware = (
  request: IncomingMessage & { identity?: Identity | null },
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void

/** Lets requests with a valid token pass. Others get 401 or 403, as Doorward says, and 503 in an outage. */
export function required(checker: Checker): Middleware {
  return middleware(checker, false)
}

/** Lets requests without a valid token pass, too: `request.identity` is `null`. In an outage, all get 503. */
export function optional(checker: Checker): Middleware {
  return middleware(checker, true)
}

function middleware(checker: Checker, isOptional: boolean): Middleware {
  return (request, response, next) => {
    judge(checker, request, isOptional).then((outcome) => {
      if (outcome.refusal === undefined) {
        request.identity = outcome.identity
        next()
        return
      }
      response.writeHead(outcome.refusal.status, { ...outcome.refusal.headers, 'Content-Length': 0 })
      response.end()
    }, next)
  }
}

/**
 * Issues a token to a user who has proved who they are, and sets the cookie in the response.
 *
 * The address and the user agent are those of the response's request. With `allowed_cookie: false`, no cookie is set.
 *
 * @throws {Unavailable} in an outage; Express answers with 503.
 */
export async function login(
  response: ServerResponse,
  admin: Admin,
  user: string,
  fields: TokenFields & { ip?: string } = {},
): Promise<IssuedToken> {
  const { ip = clientRequest(response.req).client, ...rest } = fields
  if (ip === undefined) {
    throw new TypeError("the client's address is unknown on a unix socket: set `trust proxy`, or pass `ip`")
  }
  const user_agent = response.req.headers['user-agent'] ?? ''
  const token = await admin.issue(user, ip, { user_agent, set_cookie: rest.allowed_cookie !== false, ...rest })
  setCookie(response, token)
  return token
}

/**
 * Ends the takeover of the response's request, or else revokes its token, and clears the cookie in the response.
 *
 * @throws {Unavailable} in an outage; Express answers with 503, and the client keeps its cookie.
 */
export async function logout(response: ServerResponse, validator: Validator): Promise<Logout['ended']> {
  const { ended, setCookies } = await validator.logout(response.req)
  for (const value of setCookies) response.appendHeader('Set-Cookie', value)
  return ended
}

/** Sets the cookie of a token that was issued or rotated with `set_cookie`. */
export function setCookie(response: ServerResponse, token: IssuedToken): void {
  if (token.set_cookie !== undefined) response.appendHeader('Set-Cookie', token.set_cookie)
}
