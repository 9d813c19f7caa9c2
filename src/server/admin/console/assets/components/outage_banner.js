/** The banner of an outage. It goes by itself when the outage is over. */

import { clock } from '../core/format.js'
import { useValue } from '../core/observable.js'
import { outage } from '../core/outage.js'
import { html } from '../vendor/htm_preact.js'

export function OutageBanner() {
  const now = useValue(outage)
  return html`
    <div role="alert">
      ${
        now &&
        html`
        <p class="outage">
          <span><strong>${now.message}</strong> Since ${clock(now.since)}. The page shows what was known before, and
          continues by itself when the node is ready.</span>
        </p>
      `
      }
    </div>
  `
}
