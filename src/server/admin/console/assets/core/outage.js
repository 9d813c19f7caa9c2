/** The outage under way, if any: noticed by failed calls and probes, ended by a probe that succeeds. */

import { address } from './address.js'
import { notReady, unreachable } from './call_error.js'
import { Observable } from './observable.js'

/** Milliseconds between two probes. */
const INTERVAL = 1000
/** Milliseconds after which a probe has failed. */
const PATIENCE = 5000

/**
 * The outage, or null.
 * @type {Observable<{since: Date, message: string} | null>}
 */
export const outage = new Observable(null)

/** Counts the outages that are over. What is shown must be read again after each. */
export const recoveries = new Observable(0)

/** Notes that a call failed for want of the node or its store. @param {Error} error */
export function noteOutage(error) {
  const earlier = outage.get()
  outage.set({ since: earlier?.since ?? new Date(), message: error.message })
  if (!earlier) setTimeout(probe, INTERVAL)
}

/** Asks whether the node is ready, and again until it is. */
async function probe() {
  if (!document.hidden && !(await whyNotReady())) {
    outage.set(null)
    recoveries.set(recoveries.get() + 1)
  } else {
    setTimeout(probe, INTERVAL)
  }
}

/** Asks whether the node is ready. @returns {Promise<Error | null>} why it is not */
export async function whyNotReady() {
  try {
    const response = await fetch(address('readyz'), { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) })
    return response.ok ? null : notReady(response.status)
  } catch {
    return unreachable(false)
  }
}
