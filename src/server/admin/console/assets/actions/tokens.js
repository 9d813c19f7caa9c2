/** Changes of tokens. */

import { call } from '../core/api.js'
import { path } from '../core/address.js'
import { count } from '../core/format.js'
import { act, countTokens } from './act.js'

const AFTERWARDS = 'Every node refuses them within two seconds. This cannot be undone.'

/** Revokes one token. @param {any} token @param {() => void} reload */
export function revokeToken(token, reload) {
  return act({
    ask: async () => ({
      title: 'Revoke 1 token?',
      text: `The token ${token.id} of ${token.user} is refused on every node within two seconds. This cannot be undone.`,
      action: 'Revoke it',
    }),
    make: () => revoke(token),
    done: () => `1 token of ${token.user} revoked.`,
    reload,
  })
}

/** Revokes the selected tokens. @param {any[]} tokens @param {() => void} reload */
export function revokeSelected(tokens, reload) {
  return act({
    ask: async () => ({
      title: `Revoke ${count(tokens.length, 'token')}?`,
      text: `The selected tokens are revoked one after another. ${AFTERWARDS}`,
      action: `Revoke ${tokens.length}`,
    }),
    make: () => revokeEach(tokens),
    done: () => `${count(tokens.length, 'token')} revoked.`,
    reload,
  })
}

/** Revokes every token of a user, or all but one. @param {string} user @param {any | null} kept @param {() => void} reload */
export function revokeAllOfUser(user, kept, reload) {
  const tokens = `v1/${path('users', user, 'tokens')}`
  return act({
    ask: async () => {
      const live = (await countTokens(tokens)) - (kept ? 1 : 0)
      const text = kept
        ? `The token ${kept.id} stays. Every node refuses the others within two seconds. This cannot be undone.`
        : `${user} must log in again everywhere. ${AFTERWARDS}`
      return {
        title: `Revoke ${count(live, 'token')} of ${user}?`,
        text,
        action: `Revoke ${live}`,
      }
    },
    make: () => call(kept ? `${tokens}?except=${kept.id}` : tokens, { method: 'DELETE' }),
    done: ({ revoked }) => `${count(revoked, 'token')} of ${user} revoked.`,
    reload,
  })
}

/** Revokes every token of a related object. @param {string} type @param {string} id @param {() => void} reload */
export function revokeAllOfObject(type, id, reload) {
  const tokens = `v1/${path('related', type, id, 'tokens')}`
  return act({
    ask: async () => {
      const live = await countTokens(tokens)
      const text = `They may belong to several users. ${AFTERWARDS}`
      return { title: `Revoke ${count(live, 'token')} of ${type} ${id}?`, text, action: `Revoke ${live}` }
    },
    make: () => call(tokens, { method: 'DELETE' }),
    done: ({ revoked }) => `${count(revoked, 'token')} of ${type} ${id} revoked.`,
    reload,
  })
}

/** Ends the takeover of a token. @param {{id: string, actor: string, user: string}} takeover @param {() => void} reload */
export function endTakeover({ id, actor, user }, reload) {
  return act({
    ask: async () => ({
      title: `End 1 takeover of ${user}?`,
      text: `${actor} stays logged in and acts as ${actor} again, on every node within two seconds.`,
      action: 'End it',
    }),
    make: () => call(`v1/${path('tokens', id, 'takeover')}`, { method: 'DELETE' }),
    done: () => `The takeover of ${user} by ${actor} has ended.`,
    reload,
  })
}

function revoke(token) {
  return call(`v1/${path('tokens', token.id)}`, { method: 'DELETE' })
}

/** Revokes tokens in turn. The error of a failure says how many were revoked before it. */
async function revokeEach(tokens) {
  let done = 0
  try {
    for (const token of tokens) {
      await revoke(token)
      done += 1
    }
  } catch (error) {
    error.done = `${done} of ${count(tokens.length, 'token')} were revoked before.`
    throw error
  }
}
