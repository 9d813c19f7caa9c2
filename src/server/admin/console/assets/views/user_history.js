/** What happened to a user. */

import { EventTable } from '../components/event_table.js'
import { Section } from '../components/page.js'
import { NeedsScope, State } from '../components/state.js'
import { path } from '../core/address.js'
import { call } from '../core/api.js'
import { useLoaded } from '../core/load.js'
import { html } from '../vendor/htm_preact.js'

export function HistorySection(props) {
  return html`
    <${Section} id="history" title="History">
      <${NeedsScope} scope="events" what="The history is"><${History} ...${props} /><//>
    <//>
  `
}

function History({ user, turn }) {
  const loaded = useLoaded((signal) => call(`v1/${path('users', user, 'events')}`, { signal }), [user, turn])
  const events = (loaded.data?.events ?? []).map((event, index, all) => ({ ...event, number: all.length - index }))
  return html`
    <${State} loaded=${loaded}>
      <${EventTable}
        events=${events} label=${`History of ${user}`} keyOf=${({ number }) => number}
        empty="Nothing is known. The node keeps the newest events for a limited time."
      />
    <//>
  `
}
