/** Sends requests over kept-alive connections. */

import http from 'node:http'
import https from 'node:https'
import { isIP } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConnectionOptions } from 'node:tls'
import { startDeadline } from './deadline.js'
import { Unavailable } from './errors.js'

const MAX_CONNECTIONS = 100
const MAX_HEAD_BYTES = 64 * 1024
const MAX_BODY_BYTES = 64 * 1024 * 1024

/**
 * A request that changes something uses a kept connection only if it was used this recently, in milliseconds.
 *
 * Doorward closes a connection after `idle-timeout`, 75 s. A connection closed by a restart is noticed before the use.
 */
const FRESH_MS = 1000

/** Settings of `Validator` and `Admin`. */
export interface TransportOptions {
  /** Milliseconds that each request may take as a whole, waiting for a free connection included. */
  timeout?: number
  /** Further options of TLS, such as `ca`. */
  tls?: ConnectionOptions
}

/** A request of this package to Doorward. */
export interface Request {
  method: string
  path: string
  /** Names and values. A name may stand twice. */
  headers: readonly (readonly [name: string, value: string])[]
  body?: string
  /** Whether sending it twice does no more than sending it once. */
  isRepeatable: boolean
  /** Whether a repeatable request is sent again, once, after a broken connection or a 503. */
  isRetried?: boolean
}

/** An answer of Doorward. */
export interface Response {
  status: number
  headers: http.IncomingHttpHeaders
  body: string
}

/** Sends requests to one plane. */
export class Transport {
  readonly #address: http.RequestOptions
  readonly #secure: boolean
  readonly #serverName: string
  readonly #timeout: number
  readonly #agent: http.Agent
  readonly #agentOfChanges: http.Agent

  /** Reads `http://host:port`, `https://host:port` or `unix:/path`, as in Doorward's ready line. */
  constructor(url: string, timeout: number, tls: ConnectionOptions = {}) {
    const isUnix = url.startsWith('unix:')
    const parts = parse(isUnix ? 'http://localhost' : url, url)
    this.#secure = parts.protocol === 'https:'
    const hostname = parts.hostname.replace(/^\[|\]$/g, '')
    this.#address = isUnix
      ? { socketPath: url.slice('unix:'.length) }
      : { hostname, port: parts.port || (this.#secure ? 443 : 80) }
    // Else the certificate would have to name the host of the client's request.
    this.#serverName = isIP(hostname) ? '' : hostname
    this.#timeout = timeout
    const makeAgent = (options: http.AgentOptions) =>
      this.#secure ? new https.Agent({ ...tls, ...options }) : new http.Agent(options)
    const common = { keepAlive: true, maxSockets: MAX_CONNECTIONS }
    this.#agent = makeAgent(common)
    this.#agentOfChanges = makeAgent({ ...common, timeout: FRESH_MS })
  }

  /**
   * Sends a request and returns its answer, whatever its status.
   *
   * If a kept connection turns out to be closed, a repeatable request is sent again within the same deadline.
   *
   * @throws {Unavailable} if there is no answer in time.
   */
  async send(request: Request): Promise<Response> {
    const deadline = performance.now() + this.#timeout
    try {
      const response = await this.#exchange(request, deadline)
      const wait = request.isRetried && response.status === 503 ? retryAfter(response) * 1000 : undefined
      if (wait === undefined || performance.now() + wait >= deadline) return response
      await sleep(wait)
    } catch (error) {
      if (!request.isRetried || !(error instanceof BrokenConnection)) throw error
    }
    return this.#exchange(request, deadline)
  }

  async #exchange(request: Request, deadline: number): Promise<Response> {
    for (;;) {
      const exchange = this.#begin(request)
      try {
        return await answer(exchange, deadline)
      } catch (error) {
        if (request.isRepeatable && error instanceof BrokenConnection && error.wasStale) continue
        throw error
      }
    }
  }

  #begin(request: Request): http.ClientRequest {
    const exchange = (this.#secure ? https : http).request({
      ...this.#address,
      method: request.method,
      path: request.path,
      agent: request.isRepeatable ? this.#agent : this.#agentOfChanges,
      headers: grouped(request.headers),
      servername: this.#serverName,
      maxHeaderSize: MAX_HEAD_BYTES,
    } as https.RequestOptions)
    exchange.end(request.body)
    return exchange
  }

  /** Closes the connections. No request may be under way. */
  close(): void {
    this.#agent.destroy()
    this.#agentOfChanges.destroy()
  }
}

function parse(text: string, url: string): URL {
  try {
    const parts = new URL(text)
    if (/^https?:$/.test(parts.protocol) && parts.pathname === '/' && !parts.search) return parts
  } catch {
    // Not a URL at all.
  }
  throw new TypeError(`the URL of Doorward must be http://host:port, https://host:port or unix:/path: ${url}`)
}

/** Groups the values by name: two headers of a name must reach Doorward as two. */
function grouped(headers: Request['headers']): Record<string, string[]> {
  const values: Record<string, string[]> = Object.create(null)
  for (const [name, value] of headers) (values[name.toLowerCase()] ??= []).push(value)
  return values
}

/** A connection was closed before the end of the answer. */
class BrokenConnection extends Unavailable {
  override readonly name = 'Unavailable'
  /** Whether it was a kept connection, closed before any of the answer arrived. */
  wasStale = false
}

/** Returns the seconds after which to try again: 1 if the answer does not say. */
export function retryAfter({ headers }: Response): number {
  const seconds = headers['retry-after'] ?? ''
  return /^\d+$/.test(seconds) ? Number(seconds) : 1
}

/** Reads the answer to a request that was sent, or fails when the deadline has passed. */
function answer(exchange: http.ClientRequest, deadline: number): Promise<Response> {
  return new Promise((resolve, reject) => {
    let hasBegun = false
    const left = Math.max(0, deadline - performance.now())
    const callOff = startDeadline(left, () => exchange.destroy(new Unavailable('doorward unreachable: timed out')))
    const fail = (error: NodeJS.ErrnoException) => {
      callOff()
      reject(unavailable(error, exchange.reusedSocket && !hasBegun))
    }
    exchange.on('error', fail)
    exchange.on('response', (incoming) => {
      hasBegun = true
      const chunks: Buffer[] = []
      let size = 0
      incoming.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > MAX_BODY_BYTES) exchange.destroy(new Unavailable('the answer is too long'))
        else chunks.push(chunk)
      })
      incoming.on('error', fail)
      incoming.on('end', () => {
        callOff()
        const { statusCode: status = 0, headers } = incoming
        resolve({ status, headers, body: Buffer.concat(chunks).toString() })
      })
    })
  })
}

function unavailable(error: NodeJS.ErrnoException, isUnanswered: boolean): Unavailable {
  if (error instanceof Unavailable) return error
  // An AggregateError, of several addresses, has a code but no message.
  const message = `doorward unreachable: ${error.message || error.code}`
  if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') return new Unavailable(message, { cause: error })
  return Object.assign(new BrokenConnection(message, { cause: error }), { wasStale: isUnanswered })
}
