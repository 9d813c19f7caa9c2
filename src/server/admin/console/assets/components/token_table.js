/** A listing of tokens: each can be revoked, and a selection of them. */

import { endTakeover, revokeAllOfUser, revokeSelected, revokeToken } from '../actions/tokens.js'
import { count } from '../core/format.js'
import { link } from '../core/router.js'
import { html, useState } from '../vendor/htm_preact.js'
import { Action } from './state.js'
import { More, Table } from './table.js'
import { Time } from './time.js'

/**
 * @param {{listing: any, label: string, empty: string, showsUser?: boolean, reload: () => void}} props
 *   `showsUser` for tokens of several users
 */
export function TokenTable({ listing, label, empty, showsUser, reload }) {
  const [ids, setIds] = useState(new Set())
  const live = listing.entries.filter((token) => token.is_active)
  const selected = live.filter((token) => ids.has(token.id))
  const select = (tokens) => setIds(new Set(tokens.map((token) => token.id)))
  const toggle = (token) =>
    select(ids.has(token.id) ? selected.filter((other) => other !== token) : [...selected, token])
  const columns = [
    { name: 'Select', isHiddenName: true, cell: (token) => Checkbox({ token, isSelected: ids.has(token.id), toggle }) },
    { name: 'Token', cell: identity },
    ...(showsUser ? [{ name: 'User', cell: ({ user }) => html`<a href=${link('users', user)}>${user}</a>` }] : []),
    { name: 'Client', cell: client },
    { name: 'Issued', cell: ({ created_at }) => html`<${Time} at=${created_at} />` },
    { name: 'Last access', cell: ({ last_access }) => html`<${Time} at=${last_access} />` },
    { name: 'Ends', cell: end },
    {
      name: 'Actions',
      isHiddenName: true,
      cell: (token) =>
        html`<${Actions} token=${token} isAlone=${live.length < 2} showsUser=${showsUser} reload=${reload} />`,
    },
  ]
  return html`
    ${live.length > 1 && html`<${Selection} live=${live} selected=${selected} select=${select} reload=${reload} />`}
    <${Table}
      label=${label} columns=${columns} rows=${listing.entries} keyOf=${({ id }) => id} empty=${empty}
      classOf=${({ is_active }) => (is_active ? '' : 'past')}
    />
    <${More} listing=${listing} />
  `
}

function Selection({ live, selected, select, reload }) {
  const isAll = selected.length === live.length
  return html`
    <div class="toolbar">
      <button type="button" onClick=${() => select(isAll ? [] : live)}>
        ${isAll ? 'Select none' : `Select the ${live.length} shown`}
      </button>
      <${Action} scope="tokens" danger disabled=${selected.length === 0} onClick=${() => revokeSelected(selected, reload)}>
        Revoke selected${selected.length > 0 && ` (${selected.length})`}
      <//>
      <span class="faint" role="status">${count(selected.length, 'token')} selected</span>
    </div>
  `
}

function Checkbox({ token, isSelected, toggle }) {
  if (!token.is_active) return null
  return html`
    <label class="select">
      <input type="checkbox" checked=${isSelected} onChange=${() => toggle(token)} aria-label=${`Select the token ${token.id}`} />
      <span class="narrow-only" aria-hidden="true">Select</span>
    </label>
  `
}

/** The id, and what is unusual about the token. */
function identity(token) {
  return html`
    <a href=${link('tokens', token.id)}><code>${token.id}</code></a>
    <${TokenBadges} token=${token} />
  `
}

/** The states of a token as short texts. @param {{token: any, children?: any}} props `children` come before them */
export function TokenBadges({ token, children }) {
  return html`
    <span class="badges">
      ${children} ${!token.is_active && html`<span class="badge bad">revoked</span>`}
      ${token.locked && html`<span class="badge bad">locked</span>`}
      ${!token.is_authenticated && html`<span class="badge warn">second factor pending</span>`}
      ${token.takeover && html`<span class="badge warn">acts as ${token.takeover.user}</span>`}
      ${token.device && html`<span class="badge">device key</span>`}
      ${token.auth_slug && html`<span class="badge">${token.auth_slug}</span>`}
    </span>
  `
}

function client({ user_agent, ip, backend }) {
  return html`
    <span class="agent" title=${user_agent}>${user_agent || html`<span class="faint">no user agent</span>`}</span>
    <span class="faint">${ip}${backend && `, by ${backend}`}</span>
  `
}

function end(token) {
  if (token.is_active) return html`<${Time} at=${token.expires_at} />`
  return html`<${Time} at=${token.revoked_at} /> <span class="faint">revoked: ${token.revoked_reason}</span>`
}

function Actions({ token, isAlone, showsUser, reload }) {
  if (!token.is_active) return null
  const takeover = token.takeover && { id: token.id, actor: token.user, user: token.takeover.user }
  return html`
    <div class="buttons">
      ${
        takeover &&
        html`
        <${Action} scope="takeovers" label=${`End takeover of ${takeover.user}`} onClick=${() => endTakeover(takeover, reload)}>End takeover<//>
      `
      }
      ${
        !showsUser &&
        !isAlone &&
        html`
        <${Action} scope="tokens" label=${`Keep only this token, ${token.id}`} onClick=${() => revokeAllOfUser(token.user, token, reload)}>Keep only this<//>
      `
      }
      <${Action} scope="tokens" danger label=${`Revoke the token ${token.id}`} onClick=${() => revokeToken(token, reload)}>Revoke<//>
    </div>
  `
}
