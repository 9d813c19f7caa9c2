/** The overview: how this node and its store are, and what the node does now. */

import { Page, Section } from '../components/page.js'
import { Failure, NeedsScope } from '../components/state.js'
import { NODE } from '../core/address.js'
import { useValue } from '../core/observable.js'
import { may } from '../core/session.js'
import { samples, takeSamples } from '../live/samples.js'
import { html, useEffect } from '../vendor/htm_preact.js'
import { Charts } from './overview_charts.js'
import { Faults, Masters, NodeFacts } from './overview_health.js'

export function OverviewView() {
  return html`
    <${Page} title="Overview" aside=${may('metrics') && html`<${Readiness} />`}>
      <${NeedsScope} scope="metrics" what="The health of the node is"><${Content} /><//>
    <//>
  `
}

function Readiness() {
  const { last } = useValue(samples)
  if (!last) return null
  const [colour, text] = last.status.ready ? ['good', 'ready'] : ['bad', 'not ready']
  return html`<span class=${`badge ${colour}`} role="status">Node ${text}</span>`
}

function Content() {
  const { last, list, error } = useValue(samples)
  useEffect(takeSamples, [])
  if (!last) return error ? html`<${Failure} error=${error} />` : html`<p class="hint">Loading…</p>`
  return html`
    <${Faults} status=${last.status} />
    <${Section} id="traffic" title="Traffic of this node"><${Charts} list=${list} stats=${last.stats} /><//>
    <${Section} id="node" title="Node"><${NodeFacts} stats=${last.stats} status=${last.status} /><//>
    ${last.status.masters.length > 0 && html`<${Section} id="masters" title="Redis servers"><${Masters} stats=${last.stats} status=${last.status} /><//>`}
    <p class="hint">
      The traffic is that of the node at ${NODE}. Nodes do not know one another: for another node, open the console at
      its address. Live tokens, users and events are those of all nodes.
    </p>
  `
}
