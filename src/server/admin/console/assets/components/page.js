/** The frame of a view: its heading, its title, and the focus. */

import { NODE } from '../core/address.js'
import { html, useEffect, useRef } from '../vendor/htm_preact.js'

/**
 * A view. When it appears, the focus moves to its heading, so that a screen reader reads it.
 * @param {{title: string, heading?: any, aside?: any, children?: any}} props `heading` if it is more than the title
 */
export function Page({ title, heading, aside, children }) {
  const top = useRef(null)
  useEffect(() => {
    document.title = `${title} · Doorward on ${NODE}`
  }, [title])
  useEffect(() => top.current.focus(), [])
  return html`
    <header class="page-head">
      <h1 ref=${top} tabindex="-1">${heading ?? title}</h1>
      ${aside}
    </header>
    ${children}
  `
}

/** A part of a view with its heading. */
export function Section({ id, title, aside, children }) {
  return html`
    <section aria-labelledby=${id} class="panel">
      <header class="section-head">
        <h2 id=${id} tabindex="-1">${title}</h2>
        ${aside}
      </header>
      ${children}
    </section>
  `
}
