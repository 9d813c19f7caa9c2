/** The client's request: what Doorward needs of it, and how it is asked. */

import type { IncomingMessage } from 'node:http'
import { Unavailable } from './errors.js'
import { Identity, Verdict } from './identity.js'
import { retryAfter, type Request, type Response } from './transport.js'

/** The headers of the client's request that Doorward reads, besides those about its address. */
const READ_HEADERS = [
  'authorization',
  'cookie',
  'origin',
  'sec-fetch-site',
  'traceparent',
  'tracestate',
  'x-request-id',
] as const

const MAX_TOKEN_CHARS = 1024
const SENDABLE = new RegExp(`^[!-~]{1,${MAX_TOKEN_CHARS}}$`)
const CHALLENGE = 'Bearer realm="doorward"'

export const INVALID_TOKEN = new Verdict(401, null, { 'WWW-Authenticate': `${CHALLENGE}, error="invalid_token"` })
export const NO_TOKEN = new Verdict(401, null, { 'WWW-Authenticate': CHALLENGE })
export const ANONYMOUS = new Verdict(200)

/**
 * A client's request to the application.
 *
 * The address, scheme and host are those that the application itself sees, never what the client's own `X-Forwarded-…`
 * headers say. Behind a proxy, set Express's `trust proxy` or Fastify's `trustProxy`.
 */
export interface ClientRequest {
  /** Names and values of all headers, alternating, as in `rawHeaders`; names in any case. They hold the token. */
  rawHeaders: readonly string[]
  method?: string | undefined
  /** `http` or `https`. */
  scheme?: string | undefined
  host?: string | undefined
  /** The client's IP address. */
  client?: string | undefined
}

/** What can be judged: a request of Express or of node:http, a described one, or a bare token string. */
export type Checkable = IncomingMessage | ClientRequest | string

/** The members that Express adds to a request. */
interface ExpressMembers {
  ip?: string
  protocol?: string
  hostname?: string
}

/** Returns the request of Express or node:http as Doorward needs it. */
export function clientRequest(request: IncomingMessage | ClientRequest): ClientRequest {
  if (!('socket' in request)) return request
  const { ip, protocol, hostname } = request as IncomingMessage & ExpressMembers
  return {
    rawHeaders: request.rawHeaders,
    method: request.method,
    scheme: protocol ?? ('encrypted' in request.socket ? 'https' : 'http'),
    host: seenHost(request.headers.host ?? request.headers[':authority']?.toString(), hostname),
    client: plainAddress(ip ?? request.socket.remoteAddress),
  }
}

/** Returns the IPv4 address in an address such as `::ffff:192.0.2.1`: a listener on `::` sees IPv4 clients so. */
export function plainAddress(address: string | undefined): string | undefined {
  return address?.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')
}

/** Returns the host with its port, unless a trusted proxy names another host: Express says that one without a port. */
function seenHost(own: string | undefined, hostname: string | undefined): string | undefined {
  return hostname === undefined || own?.replace(/:\d+$/, '') === hostname ? own : hostname
}

/** Whether a string could be a token: visible ASCII of a moderate length. Other strings need not be sent. */
export function isSendable(token: string): boolean {
  return SENDABLE.test(token)
}

/** Returns the question whether a request, or a bare token string, may pass. */
export function checkRequest(
  what: Checkable,
  { optional, name }: { optional: boolean; name: string | undefined },
  further: readonly string[],
): Request {
  if (name !== undefined && optional) {
    throw new TypeError("a named check says itself, in Doorward's settings, whether it admits anonymous users")
  }
  const path = name !== undefined ? `/check/${encodeURIComponent(name)}` : optional ? '/auth-optional' : '/auth'
  if (typeof what !== 'string') return ask(clientRequest(what), 'GET', path, further)
  const rawHeaders = ['Authorization', `Bearer ${isSendable(what) ? what : '-'}`]
  return ask({ rawHeaders }, 'GET', path, further)
}

/** Returns the demand to log a request out. After a takeover, a repeat would revoke the token. */
export function logoutRequest(request: IncomingMessage | ClientRequest, further: readonly string[]): Request {
  return ask(clientRequest(request), 'POST', '/logout', further)
}

function ask(request: ClientRequest, method: string, path: string, further: readonly string[]): Request {
  const names = new Set<string>([...READ_HEADERS, ...further.map((name) => name.toLowerCase())])
  const headers = pairs(request.rawHeaders).filter(([name]) => names.has(name.toLowerCase()))
  const { client, host, scheme = 'http' } = request
  if (client) headers.push(['X-Forwarded-For', client])
  if (host) headers.push(['Host', host], ['X-Forwarded-Host', host])
  headers.push(['X-Forwarded-Proto', scheme], ['X-Forwarded-Method', request.method ?? 'GET'])
  return { method, path, headers, isRepeatable: method === 'GET' }
}

function pairs(rawHeaders: readonly string[]): [name: string, value: string][] {
  const result: [string, string][] = []
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) result.push([rawHeaders[at]!, rawHeaders[at + 1]!])
  return result
}

/** Reads the validation plane's answer to a check. */
export function readVerdict(response: Response, optional: boolean): Verdict {
  if (response.status === 200) {
    const identity = Identity.fromHeaders(response.headers)
    // Some other server must not let everybody pass.
    if (response.headers['x-auth-user'] === undefined || (identity === null && !optional)) {
      throw new Unavailable("the answer is not doorward's: it names no user")
    }
    return new Verdict(200, identity)
  }
  if (response.status === 401 || response.status === 403) {
    const told: Record<string, string> = {}
    for (const name of ['WWW-Authenticate', 'X-Auth-Reason']) {
      const value = response.headers[name.toLowerCase()]
      if (typeof value === 'string') told[name] = value
    }
    return new Verdict(response.status, null, told)
  }
  throw outage(response)
}

/** What a logout did. */
export interface Logout {
  /** `null` if the request had no valid token, or came from another site. */
  ended: 'takeover' | 'token' | null
  /** Values of `Set-Cookie` headers for the client, which clear its cookie. */
  setCookies: string[]
}

/** Reads the validation plane's answer to a logout. */
export function readLogout(response: Response): Logout {
  if (![200, 401, 403].includes(response.status)) throw outage(response)
  const setCookies = response.headers['set-cookie'] ?? []
  if (response.status !== 200) return { ended: null, setCookies }
  return { ended: parseJson<{ ended: 'takeover' | 'token' }>(response).ended, setCookies }
}

/** Parses the JSON of a successful answer. Another server's answer is an outage. */
export function parseJson<T>(response: Response): T {
  try {
    return JSON.parse(response.body)
  } catch (error) {
    throw new Unavailable("the answer is not doorward's: it is not JSON", { cause: error })
  }
}

/** Every status that is no verdict. 404 is a check that Doorward does not know, so no request may pass. */
export function outage(response: Response): Unavailable {
  return new Unavailable(`doorward answered with status ${response.status}`, { retryAfter: retryAfter(response) })
}

/** The token string of a request, and where it stood. */
export interface FoundToken {
  token: string
  via: 'header' | 'cookie'
}

/**
 * Finds the token of a request by the rules of the validation plane.
 *
 * A Bearer header decides alone. An ambiguous request gets a token that is never valid.
 */
export function findToken(request: ClientRequest, cookieName: string): FoundToken | null {
  const headers = pairs(request.rawHeaders)
  const values = (wanted: string) => headers.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value)
  const authorization = values('authorization')
  if (authorization.length > 1) return { token: '', via: 'header' }
  const bearer = /^bearer(?: (.*))?$/is.exec(authorization[0]?.trim() ?? '')
  if (bearer !== null) return { token: bearer[1]?.trim() ?? '', via: 'header' }
  const cookies = new Set(values('cookie').flatMap((line) => cookieValues(line, cookieName)))
  if (cookies.size > 1) return { token: '', via: 'cookie' }
  const [token] = cookies
  return token ? { token, via: 'cookie' } : null
}

function cookieValues(line: string, wanted: string): string[] {
  return line.split(';').flatMap((pair) => {
    const [name, ...rest] = pair.trim().split('=')
    if (name !== wanted || rest.length === 0) return []
    return [rest.join('=').replace(/^"(.*)"$/, '$1')]
  })
}
