/** A table that becomes a list of cards on a narrow screen. Roles are explicit: the layout would remove them. */

import { html } from '../vendor/htm_preact.js'

/**
 * @typedef {object} Column
 * @property {string} name the heading
 * @property {(row: any) => any} cell
 * @property {boolean} [isHiddenName] the heading is only for screen readers
 */

/**
 * @param {{label: string, columns: Column[], rows: any[], keyOf: (row: any) => any, empty: string,
 *   classOf?: (row: any) => string}} props `empty` is shown without rows
 */
export function Table({ label, columns, rows, keyOf, empty, classOf = () => '' }) {
  if (rows.length === 0) return html`<p class="hint">${empty}</p>`
  /** @param {Column} column */
  const head = ({ name, isHiddenName }) => html`
    <th role="columnheader" scope="col"><span class=${isHiddenName ? 'unseen' : ''}>${name}</span></th>
  `
  const cell =
    (row) =>
    ({ name, cell, isHiddenName }) => html`
    <td role="cell" data-name=${isHiddenName ? undefined : name}><div>${cell(row)}</div></td>
  `
  const line = (row) => html`<tr role="row" key=${keyOf(row)} class=${classOf(row)}>${columns.map(cell(row))}</tr>`
  return html`
    <table role="table" aria-label=${label}>
      <thead role="rowgroup"><tr role="row">${columns.map(head)}</tr></thead>
      <tbody role="rowgroup">${rows.map(line)}</tbody>
    </table>
  `
}

/** The button below a listing that has more entries. */
export function More({ listing }) {
  if (!listing.hasMore) return null
  return html`
    <p class="more">
      <button type="button" disabled=${listing.isLoading} onClick=${listing.showMore}>Show more</button>
    </p>
  `
}

/** Names and values. @param {{rows: [string, any][]}} props */
export function Facts({ rows }) {
  const row = ([name, value]) =>
    html`<div key=${name}><dt>${name}</dt><dd>${value ?? html`<span class="faint">none</span>`}</dd></div>`
  return html`<dl class="facts">${rows.map(row)}</dl>`
}
