/** The dialog that asks before something is changed for good. */

import { Observable, useValue } from '../core/observable.js'
import { html, useEffect, useRef } from '../vendor/htm_preact.js'

/**
 * @typedef {object} Question
 * @property {string} title what happens, with how many
 * @property {string} text what follows from it
 * @property {string} action the label of the button that does it
 */

/** @type {Observable<(Question & {answer: (isConfirmed: boolean) => void}) | null>} */
const asked = new Observable(null)

/**
 * Asks the person.
 * @param {Question} question
 * @returns {Promise<boolean>} whether to do it
 */
export function confirm(question) {
  asked.get()?.answer(false)
  return new Promise((resolve) => {
    const answer = (isConfirmed) => {
      asked.set(null)
      resolve(isConfirmed)
    }
    asked.set({ ...question, answer })
  })
}

/** The dialog, while something is asked. The browser keeps the focus in it, and gives it back at the end. */
export function ConfirmDialog() {
  const question = useValue(asked)
  return question && html`<${Dialog} ...${question} />`
}

function Dialog({ title, text, action, answer }) {
  const dialog = useRef(null)
  useEffect(() => {
    const element = dialog.current
    element.showModal()
    // The browser gives the focus back when the dialog is closed, not when it is removed.
    return () => element.close()
  }, [])
  return html`
    <dialog ref=${dialog} aria-labelledby="question" aria-describedby="consequence" onCancel=${() => answer(false)}>
      <h2 id="question">${title}</h2>
      <p id="consequence">${text}</p>
      <div class="buttons">
        <button type="button" autofocus onClick=${() => answer(false)}>Cancel</button>
        <button type="button" class="danger" onClick=${() => answer(true)}>${action}</button>
      </div>
    </dialog>
  `
}
