/** The look-up: by user, by token or by related object. */

import { Page, Section } from '../components/page.js'
import { open } from '../core/router.js'
import { html, useState } from '../vendor/htm_preact.js'

/** A token string, of which only the id is used: the rest is a secret. */
const TOKEN_STRING = /^dw_([A-Za-z0-9_-]{16})[A-Za-z0-9_-]{32}$/
const TOKEN_ID = /^[A-Za-z0-9_-]{16}$/

export function LookupView() {
  return html`
    <${Page} title="Look up">
      <div class="columns">
        <${Section} id="by-user" title="By user">
          <${Form} onLookUp=${byUser} fields=${[{ name: 'user', label: 'User' }]} />
        <//>
        <${Section} id="by-token" title="By token">
          <${Form} onLookUp=${byToken} fields=${[{ name: 'token', label: 'Token id', hint: '16 characters. Of a whole token string, only the id is used.' }]} />
        <//>
        <${Section} id="by-object" title="By related object">
          <${Form}
            onLookUp=${byObject}
            fields=${[
              { name: 'type', label: 'Content type', hint: 'Such as shop.order' },
              { name: 'id', label: 'Object id' },
            ]}
          />
        <//>
      </div>
    <//>
  `
}

/** @returns {string | undefined} the mistake in the values */
function byUser({ user }) {
  if (!user) return 'Enter a user.'
  open('users', user)
}

function byToken({ token }) {
  const id = TOKEN_STRING.exec(token)?.[1] ?? token
  if (!TOKEN_ID.test(id)) return 'A token id has 16 of A-Z a-z 0-9 _ -.'
  open('tokens', id)
}

function byObject({ type, id }) {
  if (!type || !id) return 'Enter a content type and an object id.'
  open('related', type, id)
}

function Form({ fields, onLookUp }) {
  const [mistake, setMistake] = useState('')
  const submit = (event) => {
    event.preventDefault()
    const values = [...new FormData(event.currentTarget)].map(([name, value]) => [name, String(value).trim()])
    setMistake(onLookUp(Object.fromEntries(values)) ?? '')
  }
  const field = ({ name, label, hint }) => html`
    <label class="field" key=${name}>
      <span>${label}</span>
      <input name=${name} autocomplete="off" autocapitalize="none" spellcheck=${false} aria-invalid=${mistake !== ''} />
      ${hint && html`<small class="faint">${hint}</small>`}
    </label>
  `
  return html`
    <form onSubmit=${submit} novalidate>
      ${fields.map(field)}
      <p class="mistake" role="alert">${mistake}</p>
      <button type="submit" class="primary">Look up</button>
    </form>
  `
}
