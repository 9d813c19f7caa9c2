/**
 * An operator's day with a service that is installed and running: scripts/package-test. Variables:
 *   ADMIN, VALIDATION   the addresses of the planes: http://127.0.0.1:8081
 *   KEY                 an API key with all scopes
 *   SYSTEMCTL           the command that controls the service of Redis, with its first arguments
 */

import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { Api } from './support/api.js'
import { startBrowser } from './support/browser.js'
import { operatorsDay } from './support/day.js'

const { ADMIN, VALIDATION, KEY, SYSTEMCTL } = process.env
const [program, ...args] = SYSTEMCTL.split(' ')
const systemctl = (verb) => promisify(execFile)(program, [...args, verb, 'redis-server'])

test('the day of an operator of the installed service', async () => {
  const browser = await startBrowser()
  const node = new Api({ admin: ADMIN, validation: VALIDATION, key: KEY })
  try {
    await operatorsDay(browser, node, { stop: () => systemctl('stop'), start: () => systemctl('start') })
  } finally {
    await browser.close()
  }
})
