/** The answers of the middlewares to requests that may not pass. */

import { Unavailable } from './errors.js'
import type { Identity } from './identity.js'
import type { Checkable } from './request.js'
import type { Checker } from './validator.js'

/** An answer with an empty body. */
export interface Refusal {
  status: number
  headers: Readonly<Record<string, string>>
}

/**
 * Returns the identity of a request that may pass, or the answer to one that may not.
 *
 * The answer during an outage is 503: an outage is not a logout, so the client must keep its token.
 */
export async function judge(
  checker: Checker,
  request: Checkable,
  optional: boolean,
): Promise<{ identity: Identity | null; refusal?: undefined } | { refusal: Refusal }> {
  try {
    const verdict = await checker.check(request, { optional })
    if (verdict.allowed) return { identity: verdict.identity }
    return { refusal: { status: verdict.status, headers: { ...verdict.headers, 'Cache-Control': 'no-store' } } }
  } catch (error) {
    if (error instanceof Unavailable) return { refusal: { status: error.status, headers: error.headers } }
    throw error
  }
}
