/** Messages about what was done, and what failed. Screen readers hear them as they appear. */

import { CallError } from '../core/call_error.js'
import { Observable } from '../core/observable.js'
import { useValue } from '../core/observable.js'
import { html } from '../vendor/htm_preact.js'

/** The most messages on the screen, the newest. */
const MAX_NOTICES = 4

/** @typedef {{number: number, isError: boolean, text: string, advice: string}} Notice */

/** @type {Observable<Notice[]>} */
const notices = new Observable([])
let number = 0

/** Says that something was done. @param {string} text */
export function notify(text) {
  add({ isError: false, text, advice: '' })
}

/** Says that something failed. @param {any} error @param {string} [done] what was done before it failed */
export function notifyError(error, done = '') {
  const advice = [done, error instanceof CallError ? error.advice : '', requestId(error)]
  add({ isError: true, text: error.message, advice: advice.filter(Boolean).join(' ') })
}

/** Removes all messages. */
export function clearNotices() {
  notices.set([])
}

/** @param {any} error */
export function requestId(error) {
  return error.requestId ? `Request ${error.requestId}.` : ''
}

function add(notice) {
  number += 1
  notices.set([{ ...notice, number }, ...notices.get()].slice(0, MAX_NOTICES))
}

/** The messages, newest first. */
export function Notices() {
  const list = useValue(notices)
  const close = (closed) => notices.set(notices.get().filter((notice) => notice !== closed))
  const item = (notice) => html`
    <li key=${notice.number} class=${notice.isError ? 'notice error' : 'notice done'}>
      <p><strong>${notice.text}</strong> ${notice.advice}</p>
      <button type="button" class="quiet" onClick=${() => close(notice)} aria-label="Close this message">×</button>
    </li>
  `
  return html`<ul class="notices" role="log" aria-label="Messages" aria-live="polite">${list.map(item)}</ul>`
}
