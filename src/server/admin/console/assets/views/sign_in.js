/** The sign-in by an API key. */

import { Page } from '../components/page.js'
import { useValue } from '../core/observable.js'
import { ending, signIn } from '../core/session.js'
import { html, useRef, useState } from '../vendor/htm_preact.js'

/** What an API key may consist of (setting `admin-key`). */
const KEY = /^[A-Za-z0-9_-]{32,256}$/

export function SignInView() {
  const input = useRef(null)
  const [failure, setFailure] = useState(null)
  const [isBusy, setIsBusy] = useState(false)
  const ended = useValue(ending)
  const submit = async (event) => {
    event.preventDefault()
    const key = input.current.value.trim()
    if (!KEY.test(key)) return refuse(input, setFailure, MALFORMED)
    setIsBusy(true)
    try {
      await signIn(key)
    } catch (error) {
      setIsBusy(false)
      refuse(input, setFailure, error)
    }
  }
  return html`
    <${Page} title="Sign in">
      <form class="panel sign-in" onSubmit=${submit} novalidate>
        ${ended && !failure && html`<p class="mistake" role="alert"><strong>You were signed out.</strong> ${ended.message}</p>`}
        <label class="field">
          <span>API key</span>
          <input ref=${input} type="password" autocomplete="off" spellcheck=${false} required aria-describedby="about-key" aria-invalid=${failure !== null} />
        </label>
        <p id="about-key" class="faint">
          The key stays in the memory of this page: it is forgotten when you reload or close it. What the key may not do
          is shown as such.
        </p>
        <p class="mistake" role="alert">${failure && html`<strong>${failure.message}</strong> ${failure.advice}`}</p>
        <button type="submit" class="primary" disabled=${isBusy}>${isBusy ? 'Signing in…' : 'Sign in'}</button>
      </form>
    <//>
  `
}

const MALFORMED = {
  isOutage: false,
  message: 'This is no API key.',
  advice:
    "An API key has 32 to 256 of A-Z a-z 0-9 _ -. The setting admin-key or api-keys has it, or the output of the server's start.",
}

function refuse(input, setFailure, { message, advice, isOutage }) {
  setFailure({ message, advice: isOutage ? 'Try again when it answers.' : advice })
  input.current.select()
}
