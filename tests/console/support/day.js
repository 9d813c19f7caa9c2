/** An operator's day, from the sign-in to an outage and its end. */

import assert from 'node:assert/strict'
import { closeWithoutFaults, confirm, message, openSignedIn } from './browser.js'

/**
 * Finds a user, ends a takeover, logs the user out elsewhere, watches the events, and sees Redis fail and recover.
 * @param {import('playwright-core').Browser} browser
 * @param {import('./api.js').Api} node
 * @param {{stop: () => Promise<unknown>, start: () => Promise<unknown>}} redis
 */
export async function operatorsDay(browser, node, redis) {
  const tokens = []
  for (const user_agent of ['laptop', 'phone', 'tablet']) tokens.push(await node.issue('alice', { user_agent }))
  const [kept] = tokens
  await node.call('POST', `/v1/tokens/${kept.id}/takeover`, { user: 'bob', reason: 'ticket 4711' })
  const feed = await openSignedIn(browser, node, { hash: '#/events' })
  await feed.getByText('Live', { exact: true }).waitFor()
  const events = feed.getByRole('table', { name: 'Live events' })

  const page = await openSignedIn(browser, node)
  await page.getByText('Node ready').waitFor()
  await page.getByRole('link', { name: 'Look up' }).click()
  await page.getByLabel('User', { exact: true }).fill('alice')
  await page.keyboard.press('Enter')

  await page.getByRole('button', { name: 'End takeover of bob' }).click()
  await confirm(page, 'End 1 takeover of bob?', 'End it')
  await message(page, 'The takeover of bob by alice has ended.')
  await events.getByText('takeover.ended').waitFor()

  await page.getByRole('button', { name: `Keep only this token, ${kept.id}` }).click()
  await confirm(page, 'Revoke 2 tokens of alice?', 'Revoke 2')
  await message(page, '2 tokens of alice revoked.')
  await events.getByText('all_of_user').nth(1).waitFor()
  assert.deepEqual(await Promise.all(tokens.map(({ token }) => node.auth(token))), [200, 401, 401])

  await page.getByRole('link', { name: 'Overview' }).click()
  await page.getByText('Node ready').waitFor()
  await redis.stop()
  await page.getByText('Node not ready').waitFor()
  await redis.start()
  await page.getByText('Node ready').waitFor()
  await events.getByText('Events may be missing here').waitFor()
  assert.equal(await node.authAfterOutage(kept.token), 200, 'nobody was logged out')
  await Promise.all([page, feed].map(closeWithoutFaults))
}
