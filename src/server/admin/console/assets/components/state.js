/** What stands in for data: that it is loading, that there is none, that it failed, or that the key may not see it. */

import { may } from '../core/session.js'
import { html } from '../vendor/htm_preact.js'
import { requestId } from './notices.js'

/**
 * The state of something that was read, before or instead of its data. Data that is known stays on the screen.
 * @param {{loaded: {data: any, error: any, isLoading: boolean}, children?: any}} props
 */
export function State({ loaded, children }) {
  const { data, error } = loaded
  return html`
    ${error && !(error.isOutage && data) && html`<${Failure} error=${error} />`}
    ${data ? children : !error && html`<p class="hint">Loading…</p>`}
  `
}

/** A failed read. */
export function Failure({ error }) {
  return html`
    <p class="notice error" role="alert"><span><strong>${error.message}</strong> ${error.advice} ${requestId(error)}</span></p>
  `
}

/**
 * What needs a scope. Without it, says so instead.
 * @param {{scope: string, what: string, children?: any}} props `what` is not shown, such as "Device keys are"
 */
export function NeedsScope({ scope, what, children }) {
  if (may(scope)) return children
  return html`<p class="hint">${what} not shown: your API key lacks the scope <code>${scope}</code>.</p>`
}

/**
 * A button for a change. Without the scope it stays focusable, does nothing, and says why.
 * @param {{scope: string, label?: string, danger?: boolean, disabled?: boolean, onClick: () => void, children?: any}} props
 */
export function Action({ scope, label, danger, disabled, onClick, children }) {
  const isAllowed = may(scope)
  const reason = isAllowed ? undefined : `Your API key lacks the scope ${scope}`
  return html`
    <button
      type="button"
      class=${danger ? 'danger-text' : ''}
      aria-label=${label && (reason ? `${label}. ${reason}` : label)}
      aria-disabled=${!isAllowed}
      disabled=${isAllowed && disabled}
      title=${reason}
      onClick=${() => isAllowed && onClick()}
    >
      ${children}${!isAllowed && html` <small>needs ${scope}</small>`}
    </button>
  `
}
