/** Changes of users and their device keys. */

import { call } from '../core/api.js'
import { path } from '../core/address.js'
import { act } from './act.js'

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
    ask: async () =>
      isActive
        ? null
        : {
            title: 'Deactivate 1 device key?',
            text: `No login by ${name} succeeds any more, and every token that it logged in is revoked.`,
            action: 'Deactivate it',
          },
    make: () =>
      call(`v1/${path('users', device.user, 'devices', device.uuid)}`, {
        method: 'PATCH',
        body: { is_active: isActive },
      }),
    done: () => `The device key ${name} is ${isActive ? 'active' : 'inactive'}.`,
    reload,
  })
}
