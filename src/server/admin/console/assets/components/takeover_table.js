/** A listing of takeovers; one under way can be ended. */

import { endTakeover } from '../actions/tokens.js'
import { link } from '../core/router.js'
import { html } from '../vendor/htm_preact.js'
import { Action } from './state.js'
import { More, Table } from './table.js'
import { Time } from './time.js'

/** @param {{listing: any, label: string, empty: string, reload: () => void}} props */
export function TakeoverTable({ listing, label, empty, reload }) {
  const columns = [
    { name: 'Who', cell: people },
    { name: 'Reason', cell: ({ reason }) => reason || html`<span class="faint">none given</span>` },
    { name: 'Started', cell: ({ created_at }) => html`<${Time} at=${created_at} />` },
    { name: 'Ends', cell: ({ ended_at, ends_at }) => html`<${Time} at=${ended_at ?? ends_at} />` },
    { name: 'Actions', isHiddenName: true, cell: (takeover) => html`<${End} takeover=${takeover} reload=${reload} />` },
  ]
  return html`
    <${Table}
      label=${label} columns=${columns} rows=${listing.entries} keyOf=${({ id }) => id} empty=${empty}
      classOf=${({ is_active }) => (is_active ? '' : 'past')}
    />
    <${More} listing=${listing} />
  `
}

function people({ actor, user, token, is_active }) {
  return html`
    <a href=${link('users', actor)}>${actor}</a> as <a href=${link('users', user)}>${user}</a>
    ${' '}<span class=${is_active ? 'badge warn' : 'badge'}>${is_active ? 'under way' : 'ended'}</span>
    <span class="line faint">by the token <a href=${link('tokens', token)}><code>${token}</code></a></span>
  `
}

function End({ takeover, reload }) {
  if (!takeover.is_active) return null
  const { token, actor, user } = takeover
  return html`
    <div class="buttons">
      <${Action} scope="takeovers" label=${`End takeover of ${user} by ${actor}`} onClick=${() => endTakeover({ id: token, actor, user }, reload)}>
        End takeover
      <//>
    </div>
  `
}
