/** The live events of all nodes, with a filter. */

import { EventTable } from '../components/event_table.js'
import { Page, Section } from '../components/page.js'
import { Failure, NeedsScope } from '../components/state.js'
import { count } from '../core/format.js'
import { useValue } from '../core/observable.js'
import { may } from '../core/session.js'
import { clear, feed, followFeed, MAX_EVENTS } from '../live/feed.js'
import { html, useEffect, useState } from '../vendor/htm_preact.js'

/** The kinds that the filter offers: the part of a type before its dot. */
const KINDS = ['token', 'takeover', 'device', 'user', 'cutoff']
/** What the page says about each state of the connection, and its colour. */
const CONNECTIONS = {
  off: ['Not connected', ''],
  connecting: ['Connecting…', ''],
  live: ['Live', 'good'],
  lost: ['Connection lost; it is being made again', 'bad'],
}

export function EventsView() {
  return html`
    <${Page} title="Live events" aside=${may('events') && html`<${Connection} />`}>
      <${Section} id="events" title="Events of all nodes">
        <${NeedsScope} scope="events" what="Events are"><${Events} /><//>
      <//>
    <//>
  `
}

function Connection() {
  const [text, colour] = CONNECTIONS[useValue(feed).connection]
  return html`<span class=${`badge ${colour}`} role="status">${text}</span>`
}

function Events() {
  const [filter, setFilter] = useState({ user: '', kind: '' })
  const { events, error, connection } = useValue(feed)
  useEffect(followFeed, [])
  const passes = ({ type, user, taken_over }) =>
    type === 'gap' ||
    ((!filter.kind || type.startsWith(`${filter.kind}.`)) &&
      (!filter.user || [user, taken_over].some((name) => name?.includes(filter.user))))
  const shown = events.filter(passes)
  const empty = events.length > 0 ? 'No event passes the filter.' : 'Nothing has happened since the page was opened.'
  return html`
    ${error && connection === 'lost' && !error.isOutage && html`<${Failure} error=${error} />`}
    <${Filter} filter=${filter} setFilter=${setFilter} />
    <p class="faint">
      ${count(shown.length, 'event')} shown, of ${events.length} kept. The newest ${MAX_EVENTS} are kept.
      Histories of users have older ones.
    </p>
    <${EventTable} events=${shown} label="Live events" empty=${empty} showsUser keyOf=${({ number }) => number} />
  `
}

function Filter({ filter, setFilter }) {
  const change = (name) => (event) => setFilter({ ...filter, [name]: event.currentTarget.value })
  const option = (kind) => html`<option value=${kind} key=${kind}>${kind === 'cutoff' ? 'cut-off' : kind}</option>`
  return html`
    <form class="toolbar" onSubmit=${(event) => event.preventDefault()} aria-label="Filter">
      <label class="field">
        <span>User contains</span>
        <input value=${filter.user} onInput=${change('user')} autocomplete="off" autocapitalize="none" spellcheck=${false} />
      </label>
      <label class="field">
        <span>Kind</span>
        <select value=${filter.kind} onChange=${change('kind')}>
          <option value="">all</option>
          ${KINDS.map(option)}
        </select>
      </label>
      <button type="button" onClick=${clear}>Clear the list</button>
    </form>
  `
}
