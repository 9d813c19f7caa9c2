/** Who took a user over, and when. */

import { Section } from '../components/page.js'
import { NeedsScope, State } from '../components/state.js'
import { TakeoverTable } from '../components/takeover_table.js'
import { path } from '../core/address.js'
import { useListing } from '../core/load.js'
import { html } from '../vendor/htm_preact.js'

export function TakeoverSection(props) {
  return html`
    <${Section} id="takeovers" title="Takeovers of this user">
      <${NeedsScope} scope="takeovers" what="Takeovers are"><${Takeovers} ...${props} /><//>
    <//>
  `
}

function Takeovers({ user, turn, reload }) {
  const listing = useListing(`v1/${path('users', user, 'takeovers')}`, 'takeovers', '', turn)
  return html`
    <${State} loaded=${listing}>
      <${TakeoverTable} listing=${listing} label=${`Takeovers of ${user}`} empty="Nobody took this user over." reload=${reload} />
    <//>
  `
}
