/** All nodes of the store, as a table. */

import { Facts, Table } from '../components/table.js'
import { duration, latency, number, percent, perSecond } from '../core/format.js'
import { figures, validations } from '../live/figures.js'
import { html } from '../vendor/htm_preact.js'

/** How many nodes are ready, said when it changes. @param {{reading: import("../live/samples.js").Reading}} props */
export function NodesReady({ reading: { nodes, isComplete } }) {
  const ready = nodes.filter(isReady).length
  const colour = ready === nodes.length && isComplete ? 'good' : 'warn'
  const text = isComplete ? `${ready} of ${nodes.length} ready` : 'other nodes unknown'
  return html`<span class=${`badge ${colour}`} role="status">${text}</span>`
}

/** @param {{reading: import("../live/samples.js").Reading}} props */
export function Nodes({ reading: { nodes, isComplete, stats } }) {
  const all = figures(nodes)
  return html`
    ${!isComplete && html`<p class="notice error" role="status">The reports of the other nodes cannot be read: only this node is listed.</p>`}
    <${Facts}
      rows=${[
        ['Validations', known(validations(all), perSecond)],
        ['Logins', known(all.logins, perSecond)],
        ['Live tokens', known(stats.live_tokens, liveTokens)],
      ]}
    />
    <${Table} label="Nodes" columns=${COLUMNS} rows=${nodes} keyOf=${({ id }) => id} empty="None." />
  `
}

function liveTokens({ estimate, error }) {
  return error > 0 ? `about ${number(estimate)} ± ${number(error)}` : number(estimate)
}

const COLUMNS = [
  {
    name: 'Node',
    cell: ({ name, answering, version }) => html`
      <strong class="name">${name}</strong>${answering && html` <span class="badge">this node</span>`}
      <span class="line faint">${version}</span>
    `,
  },
  { name: 'State', cell: (node) => html`<${State} node=${node} />` },
  { name: 'Validations', cell: (node) => known(validations(figures([node])), perSecond) },
  { name: 'Logins', cell: (node) => known(figures([node]).logins, perSecond) },
  { name: 'Hit rate', cell: (node) => known(figures([node]).hitRate, percent) },
  {
    name: 'Duration',
    cell: (node) => {
      const { median, slowest } = figures([node])
      if (median === null) return '–'
      return html`${latency(median)}<span class="line faint">99 of 100: ${latency(slowest)}</span>`
    },
  },
  { name: 'Lease age', cell: (node) => known(figures([node]).leaseAge, latency) },
  { name: 'Tokens in cache', cell: ({ silent, cached_tokens: tokens }) => known(silent ? null : tokens, number) },
  {
    name: 'Up for',
    cell: ({ silent, started_at, reported_at }) =>
      silent ? '–' : duration((Date.parse(reported_at) - Date.parse(started_at)) / 1000),
  },
]

function State({ node }) {
  const { faults, silent, age_seconds: age } = node
  const [colour, text] = state(node)
  return html`
    <span class=${`badge ${colour}`}>${text}</span>
    ${silent && html`<span class="line faint">last report ${duration(age)} ago</span>`}
    ${faults.length > 0 && html`<span class="line">${faults.map(words).join(', ')}</span>`}
  `
}

/** The colour and the word of a node's state. @returns {[string, string]} */
function state(node) {
  if (node.silent) return ['bad', 'silent']
  if (node.stopping) return ['warn', 'stopping']
  return node.ready ? ['good', 'ready'] : ['bad', 'not ready']
}

function isReady({ silent, ready }) {
  return ready && !silent
}

/** The kind of a fault in words. @param {string} kind */
function words(kind) {
  return kind.replaceAll('_', ' ')
}

function known(value, show) {
  return value === null ? '–' : show(value)
}
