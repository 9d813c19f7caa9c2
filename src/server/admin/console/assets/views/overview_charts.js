/** The charts of the overview. */

import { Chart } from '../components/chart.js'
import { latency, number } from '../core/format.js'
import { html } from '../vendor/htm_preact.js'

const perSecond = (value) => `${number(value)}/s`
const percent = (value) => `${number(value)} %`

const VALIDATIONS = [
  { name: 'valid', colour: 'series-1', value: ({ valid }) => valid },
  { name: 'refused', colour: 'series-2', value: ({ refused }) => refused },
  { name: 'unavailable', colour: 'series-3', value: ({ unavailable }) => unavailable },
]
const LOGINS = [
  { name: 'tokens issued', colour: 'series-1', value: ({ logins }) => logins },
  { name: 'revoked', colour: 'series-2', value: ({ revocations }) => revocations },
]
const LIVE_TOKENS = [{ name: 'of all nodes', colour: 'series-1', value: ({ liveTokens }) => liveTokens }]
const HIT_RATE = [{ name: 'answered from memory', colour: 'series-1', value: ({ hitRate }) => hitRate }]
const LATENCIES = [
  { name: 'median', colour: 'series-1', value: ({ median }) => median },
  { name: '99 of 100 within', colour: 'series-2', value: ({ slowest }) => slowest },
]
const LEASE_AGE = [{ name: 'oldest', colour: 'series-1', value: ({ leaseAge }) => leaseAge }]

/** @param {{list: import("../live/samples.js").Sample[], stats: any}} props */
export function Charts({ list, stats }) {
  const hasCache = stats.cache !== null
  return html`
    <div class="charts">
      <${Chart} title="Validations" lines=${VALIDATIONS} samples=${list} show=${perSecond} />
      <${Chart} title="Logins and revocations" lines=${LOGINS} samples=${list} show=${perSecond} />
      <${Chart} title="Duration of a validation" lines=${LATENCIES} samples=${list} show=${latency} top=${0.0001} />
      ${hasCache && html`<${Chart} title="Hit rate of the near cache" lines=${HIT_RATE} samples=${list} show=${percent} top=${100} />`}
      ${hasCache && html`<${Chart} title="Age of the lease" lines=${LEASE_AGE} samples=${list} show=${latency} top=${2} />`}
      <${Chart} title="Live tokens" lines=${LIVE_TOKENS} samples=${list} show=${number} top=${10} />
    </div>
  `
}
