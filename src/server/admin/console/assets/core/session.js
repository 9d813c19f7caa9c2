/** The session at this console: which API key is signed in, and what it may do. */

import { call, keyRefusal, setKey } from './api.js'
import { Observable } from './observable.js'

/**
 * @typedef {object} Session
 * @property {string} name the name of the API key
 * @property {Set<string>} scopes
 * @property {string | null} expiresAt
 */

/** The session, or null. @type {Observable<Session | null>} */
export const session = new Observable(null)

/** Why the last session ended, if the node ended it. @type {Observable<Error | null>} */
export const ending = new Observable(null)

/**
 * Signs in.
 * @param {string} key the text of the API key
 * @throws {CallError} if the node does not know the key, or cannot be asked
 */
export async function signIn(key) {
  setKey(key)
  try {
    const shown = await call('v1/key')
    ending.set(null)
    session.set({ name: shown.name, scopes: new Set(shown.scopes), expiresAt: shown.expires_at })
  } catch (error) {
    setKey('')
    throw error
  }
}

/** Signs out. The key is forgotten. @param {Error | null} reason the node's, if it no longer accepts the key */
export function signOut(reason = null) {
  setKey('')
  ending.set(reason)
  session.set(null)
}

keyRefusal.follow((error) => {
  if (error && session.get()) signOut(error)
})

/** Whether the API key has the scope. @param {string} scope */
export function may(scope) {
  return session.get()?.scopes.has(scope) ?? false
}
