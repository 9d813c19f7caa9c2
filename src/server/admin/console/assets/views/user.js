/** A user: tokens, device keys, takeovers and history, and what can be done about them. */

import { revokeAllOfUser } from '../actions/tokens.js'
import { setLock } from '../actions/users.js'
import { Page, Section } from '../components/page.js'
import { Action, NeedsScope, State } from '../components/state.js'
import { TokenTable } from '../components/token_table.js'
import { path } from '../core/address.js'
import { call } from '../core/api.js'
import { useListing, useLoaded } from '../core/load.js'
import { may } from '../core/session.js'
import { html, useState } from '../vendor/htm_preact.js'
import { DeviceSection } from './user_devices.js'
import { HistorySection } from './user_history.js'
import { TakeoverSection } from './user_takeovers.js'

/** @param {{values: string[]}} props the user */
export function UserView({ values: [user] }) {
  const [turn, setTurn] = useState(0)
  // A change of one part may show in every other: a deactivated device key revokes tokens.
  const reload = () => setTurn((now) => now + 1)
  const heading = html`<span class="faint">User</span> <span class="name">${user}</span>`
  const parts = { user, turn, reload }
  return html`
    <${Page} title=${`User ${user}`} heading=${heading} aside=${may('tokens') && html`<${Lock} ...${parts} />`}>
      <${TokenSection} ...${parts} />
      <${DeviceSection} ...${parts} />
      <${TakeoverSection} ...${parts} />
      <${HistorySection} ...${parts} />
    <//>
  `
}

/** Whether the user is locked, and the button that changes it. */
function Lock({ user, turn, reload }) {
  const loaded = useLoaded((signal) => call(`v1/${path('users', user, 'lock')}`, { signal }), [user, turn])
  if (!loaded.data) return null
  const { locked } = loaded.data
  return html`
    <div class="buttons">
      ${locked && html`<span class="badge bad">locked</span>`}
      <${Action} scope="tokens" danger=${!locked} onClick=${() => setLock(user, !locked, reload)}>
        ${locked ? 'Unlock the user' : 'Lock the user'}
      <//>
    </div>
  `
}

function TokenSection({ user, turn, reload }) {
  const content = html`<${Tokens} user=${user} turn=${turn} reload=${reload} />`
  const button = html`
    <${Action} scope="tokens" danger onClick=${() => revokeAllOfUser(user, null, reload)}>Revoke all tokens<//>
  `
  return html`
    <${Section} id="tokens" title="Tokens" aside=${may('tokens') && button}>
      <${NeedsScope} scope="tokens" what="Tokens are">${content}<//>
    <//>
  `
}

function Tokens({ user, turn, reload }) {
  const [hasRevoked, setHasRevoked] = useState(false)
  const query = hasRevoked ? 'include=revoked' : ''
  const listing = useListing(`v1/${path('users', user, 'tokens')}`, 'tokens', query, turn)
  return html`
    <label class="check">
      <input type="checkbox" checked=${hasRevoked} onChange=${() => setHasRevoked(!hasRevoked)} /> Show revoked tokens
    </label>
    <${State} loaded=${listing}>
      <${TokenTable} listing=${listing} label=${`Tokens of ${user}`} empty="The user has no live token." reload=${reload} />
    <//>
  `
}
