/** What can go wrong. An outage is always `Unavailable`, never "not logged in". */

/** The base of all errors of this package. */
export class DoorwardError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
  }
}

/**
 * Doorward or its store could not be asked, or did not answer in time.
 *
 * Nothing is known about the token. Answer with 503 and `Retry-After`, and keep the client's cookie. After a call that
 * changes something, it is unknown whether the change was made.
 */
export class Unavailable extends DoorwardError {
  /** Seconds after which to try again, for `Retry-After`. */
  readonly retryAfter: number
  /** Express and Fastify answer an error that no handler takes with this status and these headers. */
  readonly status = 503
  readonly headers: { readonly 'Retry-After': string; readonly 'Cache-Control': string }

  constructor(message: string, options: { retryAfter?: number; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.retryAfter = options.retryAfter ?? 1
    this.headers = { 'Retry-After': String(this.retryAfter), 'Cache-Control': 'no-store' }
  }
}

/** A mistake in one field of a request: a JSON pointer, and what is wrong with the field. */
export interface FieldError {
  pointer: string
  detail: string
}

/** What a Problem is made of. */
export interface ProblemDetails {
  httpStatus: number
  kind: string
  title: string
  detail: string
  errors: readonly FieldError[]
  requestId: string | undefined
  tokenId?: string | undefined
}

/** Doorward refused a call of the admin plane (RFC 9457). The call changed nothing. */
export class Problem extends DoorwardError {
  /**
   * The status of Doorward's answer. It is not called `status`: Express and Fastify would answer with it, and a refused
   * API key would look to the user like a logout.
   */
  readonly httpStatus: number
  /** The stable name of the problem, such as `token-revoked`: the last part of its `type`. */
  readonly kind: string
  readonly title: string
  readonly detail: string
  readonly errors: readonly FieldError[]
  readonly requestId: string | undefined
  /** Of an `idempotency-replay`: the token that the first call made. */
  readonly tokenId: string | undefined

  constructor({ httpStatus, kind, title, detail, errors, requestId, tokenId }: ProblemDetails) {
    const fields = errors.map((error) => `; ${error.pointer} ${error.detail}`).join('')
    super(`${httpStatus} ${kind}: ${detail || title}${fields}`)
    this.httpStatus = httpStatus
    this.kind = kind
    this.title = title
    this.detail = detail
    this.errors = errors
    this.requestId = requestId
    this.tokenId = tokenId
  }
}

/** 404: the token, takeover or device key does not exist, or has expired. */
export class NotFound extends Problem {}

/** 409: the state forbids the call; `kind` says why. */
export class Conflict extends Problem {}

/** 422: `errors` lists the mistakes. */
export class InvalidFields extends Problem {}

/** 401 of a device login: no active device key has this uuid and this login token. */
export class LoginRefused extends Problem {}

/** 401 or 403: the API key is missing, unknown or expired, or lacks the scope. */
export class KeyRefused extends Problem {}
