/** An address that names no view. */

import { Page } from '../components/page.js'
import { link } from '../core/router.js'
import { html } from '../vendor/htm_preact.js'

export function UnknownView() {
  return html`
    <${Page} title="No such view">
      <p>The address names no view of the console. Go to the <a href=${link('overview')}>overview</a>.</p>
    <//>
  `
}
