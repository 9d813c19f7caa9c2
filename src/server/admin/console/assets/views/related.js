/** The tokens that are related to an object of the application. */

import { revokeAllOfObject } from '../actions/tokens.js'
import { Page, Section } from '../components/page.js'
import { Action, NeedsScope, State } from '../components/state.js'
import { TokenTable } from '../components/token_table.js'
import { path } from '../core/address.js'
import { useListing } from '../core/load.js'
import { may } from '../core/session.js'
import { html, useState } from '../vendor/htm_preact.js'

/** @param {{values: string[]}} props the content type and the object id */
export function RelatedView({ values: [type, id] }) {
  const [turn, setTurn] = useState(0)
  const reload = () => setTurn((now) => now + 1)
  const heading = html`<span class="faint">Object</span> <span class="name">${type} ${id}</span>`
  const button = html`
    <${Action} scope="tokens" danger onClick=${() => revokeAllOfObject(type, id, reload)}>Revoke all tokens<//>
  `
  return html`
    <${Page} title=${`Object ${type} ${id}`} heading=${heading}>
      <${Section} id="tokens" title="Tokens" aside=${may('tokens') && button}>
        <${NeedsScope} scope="tokens" what="Tokens are">
          <${Tokens} type=${type} id=${id} turn=${turn} reload=${reload} />
        <//>
      <//>
    <//>
  `
}

function Tokens({ type, id, turn, reload }) {
  const listing = useListing(`v1/${path('related', type, id, 'tokens')}`, 'tokens', '', turn)
  return html`
    <${State} loaded=${listing}>
      <${TokenTable}
        listing=${listing} label=${`Tokens of ${type} ${id}`} empty="No live token is related to this object." showsUser
        reload=${reload}
      />
    <//>
  `
}
