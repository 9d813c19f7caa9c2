/** Changes of users and their device keys. */

import { call } from '../core/api.js'
import { path } from '../core/address.js'
import { count } from '../core/format.js'
import { may } from '../core/session.js'
import { act, countTokens } from './act.js'

/** Locks or unlocks a user. @param {string} user @param {boolean} locks @param {() => void} reload */
export function setLock(user, locks, reload) {
  const text = locks
    ? 'Every token of the user is refused until you unlock the user, and no login succeeds. No token is lost.'
    : "The user's tokens work again unless they have expired, and logins succeed again."
  return act({
    ask: async () => ({ title: `${locks ? 'Lock' : 'Unlock'} ${user}?`, text, action: locks ? 'Lock' : 'Unlock' }),
    make: () => call(`v1/${path('users', user, 'lock')}`, { method: locks ? 'PUT' : 'DELETE' }),
    done: () => `${user} is ${locks ? 'locked' : 'unlocked'}.`,
    reload,
  })
}

/** Activates or deactivates a device key. @param {any} device @param {boolean} isActive @param {() => void} reload */
export function setDeviceActive(device, isActive, reload) {
  const name = device.name ?? device.uuid
  return act({
    ask: async () => (isActive ? null : askToDeactivate(device, name)),
    make: () =>
      call(`v1/${path('users', device.user, 'devices', device.uuid)}`, {
        method: 'PATCH',
        body: { is_active: isActive },
      }),
    done: () => `The device key ${name} is ${isActive ? 'active' : 'inactive'}.`,
    reload,
  })
}

/** Says how many tokens go with the device key, if the API key may see them. */
async function askToDeactivate({ user, uuid }, name) {
  const logged = ({ device }) => device === uuid
  const live = may('tokens') ? await countTokens(`v1/${path('users', user, 'tokens')}`, logged) : null
  const tokens = live === null ? 'Every token' : count(live, 'token')
  return {
    title: 'Deactivate 1 device key?',
    text: `No login by ${name} succeeds any more. ${tokens} that it logged in will be revoked.`,
    action: 'Deactivate it',
  }
}
