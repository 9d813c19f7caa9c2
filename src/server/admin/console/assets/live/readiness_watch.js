/** Notices an outage while no view makes a call. */

import { noteOutage, outage, whyNotReady } from '../core/outage.js'
import { session } from '../core/session.js'

/** Milliseconds between two looks. */
const INTERVAL = 5000

/** Asks at intervals whether the node is ready, while the page is visible and somebody is signed in. */
export function watchReadiness() {
  setInterval(look, INTERVAL)
}

async function look() {
  // During an outage, the probes for its end ask.
  if (document.hidden || !session.get() || outage.get()) return
  const error = await whyNotReady()
  if (error && session.get()) noteOutage(error)
}
