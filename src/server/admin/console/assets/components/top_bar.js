/** The bar at the top: the ways to the views, and the session. */

import { NODE } from '../core/address.js'
import { time } from '../core/format.js'
import { useValue } from '../core/observable.js'
import { link } from '../core/router.js'
import { session, signOut } from '../core/session.js'
import { html } from '../vendor/htm_preact.js'
import { clearNotices } from './notices.js'

/** The views in the bar, with the views that belong to each. */
const ENTRIES = [
  { name: 'overview', label: 'Overview', views: ['overview'] },
  { name: 'lookup', label: 'Look up', views: ['lookup', 'users', 'tokens', 'related'] },
  { name: 'events', label: 'Live events', views: ['events'] },
]

/** @param {{view: string}} props the view on the screen */
export function TopBar({ view }) {
  const now = useValue(session)
  return html`
    <header class="top">
      <p class="brand"><img src="icon.svg" alt="" width="28" height="28" /> Doorward <span class="node">${NODE}</span></p>
      ${now && html`<${Ways} view=${view} /><${Key} session=${now} />`}
    </header>
  `
}

function Ways({ view }) {
  const way = ({ name, label, views }) => html`
    <li key=${name}><a href=${link(name)} aria-current=${views.includes(view) ? 'page' : undefined}>${label}</a></li>
  `
  return html`<nav aria-label="Views"><ul>${ENTRIES.map(way)}</ul></nav>`
}

function Key({ session: { name, scopes, expiresAt } }) {
  const leave = () => {
    clearNotices()
    signOut()
  }
  return html`
    <div class="key">
      <details>
        <summary>Key <strong>${name}</strong></summary>
        <p>Scopes: ${[...scopes].join(', ') || 'none'}.</p>
        <p>${expiresAt ? `Expires ${time(expiresAt)}.` : 'Does not expire.'}</p>
      </details>
      <button type="button" onClick=${leave}>Sign out</button>
    </div>
  `
}
