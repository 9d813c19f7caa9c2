/** The health of a node and its store, as tables. */

import { Facts, Table } from '../components/table.js'
import { Time } from '../components/time.js'
import { bytes, count, duration, latency, number } from '../core/format.js'
import { html } from '../vendor/htm_preact.js'

/** The colour of each severity. */
const SEVERITIES = { fatal: 'bad', fault: 'bad', warning: 'warn' }

/** The faults of the store, each with its fix. */
export function Faults({ status: { faults } }) {
  const fault = ({ kind, severity, server, cause, fix }) => html`
    <li key=${`${kind} ${server}`} class=${`fault ${SEVERITIES[severity]}`}>
      <p><span class=${`badge ${SEVERITIES[severity]}`}>${severity}</span> <strong>${cause}</strong> <span class="faint">${server}</span></p>
      ${fix && html`<p>To do: ${fix}</p>`}
    </li>
  `
  return html`<ul class="faults" aria-label="Faults" role="log">${faults.map(fault)}</ul>`
}

/** What the node is and how much it holds. */
export function NodeFacts({ stats, status }) {
  const { last_reload: reload, api_keys: keys } = status
  return html`
    <${Facts}
      rows=${[
        ['Version', stats.version],
        ['Store', { redis: 'Redis', memory: 'embedded, lost at the stop' }[stats.store] ?? stats.store],
        ['Up for', duration(stats.uptime_seconds)],
        ['Tokens in the near cache', stats.cache && number(stats.cache.entries)],
        [
          'Open connections',
          Object.entries(stats.connections).map(
            ([name, { open, max }]) => html`<span class="line">${name}: ${number(open)} of ${number(max)}</span>`,
          ),
        ],
        [
          'Accesses not yet written',
          stats.flush_lag_seconds ? `at most ${latency(stats.flush_lag_seconds)} old` : null,
        ],
        ['Readers of events', number(stats.feed.readers)],
        [
          'Last reload',
          html`<${Time} at=${reload.at} />${!reload.successful && html` <span class="badge bad">refused</span> ${reload.mistakes.join('; ')}`}`,
        ],
        ['Needs a restart', reload.needs_restart.join(', ') || null],
        ['API keys', count(keys.length, 'key')],
      ]}
    />
  `
}

/** The Redis servers. */
export function Masters({ stats, status }) {
  const ages = new Map(stats.masters.map((master) => [master.address, master.lease_age_seconds]))
  const age = (address) => ages.get(address) ?? null
  const columns = [
    {
      name: 'Server',
      cell: ({ address, version }) =>
        html`<code class="long">${address}</code><span class="line faint">${version}</span>`,
    },
    {
      name: 'Near cache',
      cell: ({ tracking }) =>
        html`<span class=${`badge ${tracking ? 'good' : 'warn'}`}>${tracking ? 'in use' : 'not in use'}</span>`,
    },
    { name: 'Lease age', cell: ({ address }) => (age(address) === null ? '–' : latency(age(address))) },
    { name: 'Memory', cell: memory },
    { name: 'Persistence', cell: ({ persistence }) => persistence ?? '–' },
    { name: 'Replicas', cell: ({ replicas }) => replicas ?? '–' },
  ]
  return html`<${Table} label="Redis servers" columns=${columns} rows=${status.masters} keyOf=${({ address }) => address} empty="None." />`
}

function memory({ memory_used: used, memory_limit: limit, memory_policy: policy }) {
  if (used === null) return '–'
  return html`${bytes(used)} ${limit ? `of ${bytes(limit)}` : ''}<span class="line faint">${policy}</span>`
}
