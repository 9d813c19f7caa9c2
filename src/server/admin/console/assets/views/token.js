/** A token, and the takeovers by it. */

import { endTakeover, revokeToken } from '../actions/tokens.js'
import { Page, Section } from '../components/page.js'
import { Action, NeedsScope, State } from '../components/state.js'
import { Facts } from '../components/table.js'
import { TakeoverTable } from '../components/takeover_table.js'
import { Time } from '../components/time.js'
import { TokenBadges } from '../components/token_table.js'
import { path } from '../core/address.js'
import { call } from '../core/api.js'
import { useListing, useLoaded } from '../core/load.js'
import { link } from '../core/router.js'
import { may } from '../core/session.js'
import { html, useState } from '../vendor/htm_preact.js'

/** @param {{values: string[]}} props the id */
export function TokenView({ values: [id] }) {
  const [turn, setTurn] = useState(0)
  const parts = { id, turn, reload: () => setTurn((now) => now + 1) }
  return html`
    <${Page} title=${`Token ${id}`} heading=${html`<span class="faint">Token</span> <code>${id}</code>`}>
      <${Section} id="record" title="Record">
        <${NeedsScope} scope="tokens" what="Tokens are"><${Record} ...${parts} /><//>
      <//>
      <${Section} id="takeovers" title="Takeovers by this token">
        <${NeedsScope} scope="takeovers" what="Takeovers are"><${Takeovers} ...${parts} /><//>
      <//>
    <//>
  `
}

function Record({ id, turn, reload }) {
  const loaded = useLoaded((signal) => call(`v1/${path('tokens', id)}`, { signal }), [id, turn])
  const token = loaded.data
  return html`
    <${State} loaded=${loaded}>
      ${
        token &&
        html`
        <${Facts} rows=${facts(token)} />
        ${token.is_active && html`<${Actions} token=${token} reload=${reload} />`}
      `
      }
    <//>
  `
}

function facts(token) {
  const transports = [token.allowed_cookie && 'cookie', token.allowed_header && 'header'].filter(Boolean)
  const at = (value) => html`<${Time} at=${value} />`
  return [
    [
      'State',
      html`<${TokenBadges} token=${token}>${token.is_active && html`<span class="badge good">active</span>`}<//>`,
    ],
    ['User', html`<a href=${link('users', token.user)}>${token.user}</a>`],
    ['Issued', at(token.created_at)],
    ['Last access', at(token.last_access)],
    token.is_active
      ? ['Expires', at(token.expires_at)]
      : ['Revoked', html`${at(token.revoked_at)} (${token.revoked_reason})`],
    ['Absolute end', at(token.ends_at)],
    ['Address', token.ip],
    ['User agent', token.user_agent || null],
    ['Kind', token.auth_slug],
    ['Backend', token.backend],
    ['Scopes', token.scopes.length > 0 ? token.scopes.join(' ') : null],
    ['Transports', transports.length > 0 ? transports.join(', ') : null],
    ['Device key', token.device && html`<code class="long">${token.device}</code>`],
    ['Imported from', token.origin],
    ['Related objects', objects(token)],
  ]
}

function objects({ related_objects }) {
  if (related_objects.length === 0) return null
  const item = ({ content_type, object_id }) => html`
    <li><a href=${link('related', content_type, object_id)}>${content_type} ${object_id}</a></li>
  `
  return html`<ul class="plain">${related_objects.map(item)}</ul>`
}

function Actions({ token, reload }) {
  const takeover = token.takeover && { id: token.id, actor: token.user, user: token.takeover.user }
  return html`
    <div class="buttons start">
      ${takeover && html`<${Action} scope="takeovers" onClick=${() => endTakeover(takeover, reload)}>End the takeover of ${takeover.user}<//>`}
      <${Action} scope="tokens" danger onClick=${() => revokeToken(token, reload)}>Revoke the token<//>
    </div>
  `
}

function Takeovers({ id, turn, reload }) {
  const listing = useListing(`v1/${path('tokens', id, 'takeovers')}`, 'takeovers', '', turn)
  return html`
    <${State} loaded=${listing}>
      <${TakeoverTable} listing=${listing} label=${`Takeovers by ${id}`} empty="The token took nobody over." reload=${reload} />
    <//>
  `
}
