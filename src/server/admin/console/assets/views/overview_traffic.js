/** The traffic of all nodes, or of one, as charts. */

import { Chart } from '../components/chart.js'
import { Section } from '../components/page.js'
import { latency, number, percent, perSecond } from '../core/format.js'
import { figures } from '../live/figures.js'
import { html, useState } from '../vendor/htm_preact.js'

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

/** @param {{list: import("../live/samples.js").Sample[], reading: import("../live/samples.js").Reading}} props */
export function Traffic({ list, reading: { nodes, stats } }) {
  const [wanted, setWanted] = useState('')
  // A node that is gone has no traffic: all nodes are shown instead.
  const chosen = nodes.some(({ id }) => id === wanted) ? wanted : ''
  const points = list.map(({ at, liveTokens, nodes }) => ({
    at,
    liveTokens,
    ...figures(chosen ? nodes.filter(({ id }) => id === chosen) : nodes),
  }))
  const choice = nodes.length > 1 && html`<${Choice} nodes=${nodes} chosen=${chosen} choose=${setWanted} />`
  const isOfSeveral = nodes.length > 1 && !chosen
  return html`
    <${Section} id="traffic" title="Traffic" aside=${choice}>
      <${Charts} key=${chosen} points=${points} hasCache=${stats.cache !== null} />
      ${isOfSeveral && html`<p class="hint">Rates are those of all nodes together. Durations, hit rate and lease age are those of the worst node.</p>`}
    <//>
  `
}

function Choice({ nodes, chosen, choose }) {
  const option = ({ id, name, answering }) =>
    html`<option value=${id} key=${id}>${name}${answering ? ' (this node)' : ''}</option>`
  return html`
    <label class="choice">
      <span>Of</span>
      <select value=${chosen} onChange=${(event) => choose(event.currentTarget.value)}>
        <option value="">all nodes</option>
        ${nodes.map(option)}
      </select>
    </label>
  `
}

function Charts({ points, hasCache }) {
  return html`
    <div class="charts">
      <${Chart} title="Validations" lines=${VALIDATIONS} samples=${points} show=${perSecond} />
      <${Chart} title="Logins and revocations" lines=${LOGINS} samples=${points} show=${perSecond} />
      <${Chart} title="Duration of a validation" lines=${LATENCIES} samples=${points} show=${latency} top=${0.0001} />
      ${hasCache && html`<${Chart} title="Hit rate of the near cache" lines=${HIT_RATE} samples=${points} show=${percent} top=${100} />`}
      ${hasCache && html`<${Chart} title="Age of the lease" lines=${LEASE_AGE} samples=${points} show=${latency} top=${2} />`}
      <${Chart} title="Live tokens" lines=${LIVE_TOKENS} samples=${points} show=${number} top=${10} />
    </div>
  `
}
