/** The console: a client of the admin plane that runs in the browser. This file puts its views together. */

import { ConfirmDialog } from './components/confirm.js'
import { Notices } from './components/notices.js'
import { OutageBanner } from './components/outage_banner.js'
import { TopBar } from './components/top_bar.js'
import { useValue } from './core/observable.js'
import { route } from './core/router.js'
import { session } from './core/session.js'
import { watchReadiness } from './live/readiness_watch.js'
import { html, render } from './vendor/htm_preact.js'
import { EventsView } from './views/events.js'
import { LookupView } from './views/lookup.js'
import { OverviewView } from './views/overview.js'
import { RelatedView } from './views/related.js'
import { SignInView } from './views/sign_in.js'
import { TokenView } from './views/token.js'
import { UnknownView } from './views/unknown.js'
import { UserView } from './views/user.js'

const VIEWS = {
  overview: OverviewView,
  lookup: LookupView,
  events: EventsView,
  users: UserView,
  tokens: TokenView,
  related: RelatedView,
  unknown: UnknownView,
}

function App() {
  const { view, values } = useValue(route)
  const isSignedIn = useValue(session) !== null
  // A key for each address: no view shows what another one has read.
  const content = isSignedIn
    ? html`<${VIEWS[view]} key=${JSON.stringify([view, ...values])} values=${values} />`
    : html`<${SignInView} />`
  return html`
    <a class="skip" href="#content" onClick=${skip}>Skip to the content</a>
    <${TopBar} view=${view} />
    <${OutageBanner} />
    <main id="content" tabindex="-1">
      <${Notices} />
      ${content}
    </main>
    <${ConfirmDialog} />
  `
}

/** Moves the focus without a change of the address, which names the view. @param {Event} event */
function skip(event) {
  event.preventDefault()
  document.getElementById('content').focus()
}

watchReadiness()
render(html`<${App} />`, document.getElementById('app'))
