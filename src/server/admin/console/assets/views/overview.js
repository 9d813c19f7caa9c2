/** The overview: how the nodes and their store are, and what they do now. */

import { Page, Section } from '../components/page.js'
import { Failure, NeedsScope } from '../components/state.js'
import { NODE } from '../core/address.js'
import { useValue } from '../core/observable.js'
import { may } from '../core/session.js'
import { samples, takeSamples } from '../live/samples.js'
import { html, useEffect } from '../vendor/htm_preact.js'
import { Faults, Masters, NodeFacts } from './overview_health.js'
import { Nodes, NodesReady } from './overview_nodes.js'
import { Traffic } from './overview_traffic.js'

export function OverviewView() {
  return html`
    <${Page} title="Overview" aside=${may('metrics') && html`<${Readiness} />`}>
      <${NeedsScope} scope="metrics" what="The health of the nodes is"><${Content} /><//>
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
  const { stats, status } = last
  return html`
    <${Faults} status=${status} />
    <${Section} id="nodes" title="Nodes" aside=${html`<${NodesReady} reading=${last} />`}><${Nodes} reading=${last} /><//>
    <${Traffic} list=${list} reading=${last} />
    <${Section} id="node" title="This node"><${NodeFacts} stats=${stats} status=${status} /><//>
    ${status.masters.length > 0 && html`<${Section} id="masters" title="Redis servers"><${Masters} stats=${stats} status=${status} /><//>`}
    <p class="hint">
      Faults, Redis servers and the facts about this node are as the node at ${NODE} sees them. Every node reports the
      rest about itself every two seconds.
    </p>
  `
}
