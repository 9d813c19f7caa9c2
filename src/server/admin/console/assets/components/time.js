/** A point in time. */

import { distance, time } from '../core/format.js'
import { html } from '../vendor/htm_preact.js'

/** A time and its distance from now; "never" without one. @param {{at: string | null}} props */
export function Time({ at }) {
  if (!at) return html`<span class="faint">never</span>`
  return html`<time datetime=${at} title=${at}>${time(at)} <span class="faint">${distance(at)}</span></time>`
}
