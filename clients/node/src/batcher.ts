/**
 * Micro-batching: many checks in one call of `POST /v1/validate`, for busy servers.
 *
 * The rules are those of `/auth` with three differences. A token that waits for its second factor is judged as an
 * invalid one. Requests that another site made a browser send are not refused: use CSRF protection for cookies. Tokens
 * are found in `Authorization: Bearer` and in one cookie; Doorward's settings for other places do not count.
 */

import type { Admin } from './admin.js'
import { startDeadline } from './deadline.js'
import { DoorwardError, Unavailable } from './errors.js'
import { Identity, Verdict } from './identity.js'
import type { Token } from './models.js'
import { ANONYMOUS, INVALID_TOKEN, NO_TOKEN, clientRequest, findToken, isSendable } from './request.js'
import type { Checkable, FoundToken } from './request.js'
import type { Checker } from './validator.js'

const MAX_BATCH = 1000
/** The tokens of a batch, as JSON. Doorward reads 64 KiB. */
const MAX_BATCH_BYTES = 60_000
/** The quotes and the comma of a token in JSON, and an escape to spare. */
const OVERHEAD = 4

/** Settings of a `Batcher`. */
export interface BatcherOptions {
  /** Milliseconds that a batch collects tokens: 2. */
  maxDelay?: number
  /** Tokens that wait for an answer: 10,000. Further checks are `Unavailable` at once. */
  maxWaiting?: number
  /** Milliseconds that each check may take: 2,000. */
  timeout?: number
  /** Doorward's `cookie-name`: `doorward`. */
  cookieName?: string
}

/** A check that waits for its batch. */
interface Waiting {
  token: string
  resolve: (token: Token | null) => void
  reject: (error: Unavailable) => void
}

/**
 * Judges tokens in batches.
 *
 * It collects tokens for at most `maxDelay`, or up to 1,000 of them. While a batch is under way, the next one collects. A
 * batch that fails fails for all its callers: `Unavailable`.
 */
export class Batcher implements Checker {
  readonly #admin: Admin
  readonly #options: Required<BatcherOptions>
  #batch = new Set<Waiting>()
  #bytes = 0
  #waiting = 0
  #timer: NodeJS.Timeout | undefined

  constructor(admin: Admin, options: BatcherOptions = {}) {
    this.#admin = admin
    this.#options = { maxDelay: 2, maxWaiting: 10_000, timeout: 2000, cookieName: 'doorward', ...options }
  }

  /** Judges a request, or a bare token string. */
  async check(request: Checkable, { optional = false }: { optional?: boolean } = {}): Promise<Verdict> {
    const found: FoundToken | null =
      typeof request === 'string'
        ? { token: request, via: 'header' }
        : findToken(clientRequest(request), this.#options.cookieName)
    if (found === null) return optional ? ANONYMOUS : NO_TOKEN
    const token = await this.validate(found.token)
    const isAllowed = found.via === 'header' ? token?.allowed_header : token?.allowed_cookie
    if (token === null || !isAllowed) return optional ? ANONYMOUS : INVALID_TOKEN
    return new Verdict(200, Identity.ofToken(token, found.via))
  }

  /** Judges a token string. The caller must look at `allowed_header` and `allowed_cookie` itself. */
  async validate(token: string): Promise<Token | null> {
    if (!isSendable(token)) return null
    if (this.#waiting >= this.#options.maxWaiting) throw new Unavailable('too many checks are waiting for doorward')
    this.#waiting += 1
    let callOff = () => {}
    try {
      return await new Promise<Token | null>((resolve, reject) => {
        const waiting = { token, resolve, reject }
        callOff = startDeadline(this.#options.timeout, () => {
          // A caller that has given up is left out.
          if (this.#batch.delete(waiting)) this.#bytes -= token.length + OVERHEAD
          reject(new Unavailable('doorward did not answer in time'))
        })
        this.#add(waiting)
      })
    } finally {
      callOff()
      this.#waiting -= 1
    }
  }

  #add(waiting: Waiting): void {
    const bytes = waiting.token.length + OVERHEAD
    if (this.#bytes + bytes > MAX_BATCH_BYTES) this.#flush()
    this.#batch.add(waiting)
    this.#bytes += bytes
    if (this.#batch.size >= MAX_BATCH) this.#flush()
    else this.#timer ??= setTimeout(() => this.#flush(), this.#options.maxDelay)
  }

  /** Sends what has been collected. */
  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const batch = [...this.#batch]
    this.#batch = new Set()
    this.#bytes = 0
    if (batch.length > 0) void this.#send(batch)
  }

  async #send(batch: readonly Waiting[]): Promise<void> {
    try {
      const results = await this.#admin.validate(batch.map(({ token }) => token))
      batch.forEach(({ resolve }, index) => resolve(results[index] ?? null))
    } catch (error) {
      const failed = failure(error)
      for (const { reject } of batch) reject(failed)
    }
  }
}

/** The error of each caller of a failed batch. In every case, nothing is known about the tokens. */
function failure(error: unknown): Unavailable {
  if (error instanceof Unavailable) return error
  const reason = error instanceof DoorwardError ? error.message : String(error)
  return new Unavailable(`a batch of checks failed: ${reason}`, { cause: error })
}
