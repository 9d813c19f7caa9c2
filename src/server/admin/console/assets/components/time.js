/** A point in time. */

import { distance, time } from '../core/format.js'
import { Observable, useValue } from '../core/observable.js'
import { html } from '../vendor/htm_preact.js'

/** Milliseconds after which the distances on the screen are renewed. */
const INTERVAL = 5000

const tick = new Observable(0)
setInterval(() => document.hidden || tick.set(tick.get() + 1), INTERVAL)

/** A time and its distance from now; "never" without one. @param {{at: string | null}} props */
export function Time({ at }) {
  useValue(tick)
  if (!at) return html`<span class="faint">never</span>`
  return html`<time datetime=${at} title=${at}>${time(at)} <span class="faint">${distance(at)}</span></time>`
}
