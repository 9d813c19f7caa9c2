/** Events as rows, of one user or of all. */

import { link } from '../core/router.js'
import { html } from '../vendor/htm_preact.js'
import { Table } from './table.js'
import { Time } from './time.js'

/**
 * @param {{events: any[], label: string, empty: string, showsUser?: boolean, keyOf: (event: any) => any}} props
 */
export function EventTable({ events, label, empty, showsUser, keyOf }) {
  const columns = [
    { name: 'Time', cell: ({ at }) => html`<${Time} at=${at} />` },
    { name: 'Event', cell: kind },
    ...(showsUser ? [{ name: 'User', cell: userOf }] : []),
    { name: 'About', cell: about },
    { name: 'By', cell: ({ actor }) => actor ?? '' },
  ]
  const classOf = ({ type }) => (type === 'gap' ? 'gap' : '')
  return html`<${Table} label=${label} columns=${columns} rows=${events} keyOf=${keyOf} empty=${empty} classOf=${classOf} />`
}

function kind({ type, reason }) {
  if (type === 'gap') {
    return html`<strong>Events may be missing here.</strong> The node was away, or had lost Redis. Histories are complete.`
  }
  return html`<code>${type}</code>${reason && html` <span class="faint">${reason}</span>`}`
}

function userOf({ user }) {
  return user ? html`<a href=${link('users', user)}>${user}</a>` : ''
}

function about({ token, taken_over, device, cutoff, before, ip, user_agent }) {
  return html`
    ${taken_over && html`<span class="line">takeover of <a href=${link('users', taken_over)}>${taken_over}</a></span>`}
    ${token && html`<span class="line">token <a href=${link('tokens', token)}><code>${token}</code></a></span>`}
    ${device && html`<span class="line">device key <code class="long">${device}</code></span>`}
    ${cutoff && html`<span class="line">cut-off <code>${cutoff}</code> ${before}</span>`}
    ${ip && html`<span class="agent faint" title=${user_agent}>${ip}${user_agent && `, ${user_agent}`}</span>`}
  `
}
