/** What arrives by itself: events of another node, the traffic, an outage and its end. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closeWithoutFaults, confirm, message, openSignedIn } from '../support/browser.js'
import { stage } from '../support/stage.js'

const at = stage()

/** Opens the live events and waits until they are live. */
async function openEvents(node = at.node) {
  const page = await openSignedIn(at.browser, node, { hash: '#/events' })
  await page.getByText('Live', { exact: true }).waitFor()
  return { page, table: page.getByRole('table', { name: 'Live events' }) }
}

test('a change on another node arrives as an event, and the filter selects', async () => {
  const other = await at.startNode()
  const { page, table } = await openEvents()
  const token = await other.issue('carol', { user_agent: 'shop/7' })
  await table.getByText('token.issued').waitFor()
  await other.call('PUT', '/v1/users/mallory/lock')
  await table.getByText('user.locked').waitFor()
  await page.getByLabel('User contains').fill('caro')
  await table.getByText('user.locked').waitFor({ state: 'detached' })
  await page.getByLabel('Kind').selectOption('takeover')
  await page.getByText('No event passes the filter.').waitFor()
  await other.call('POST', `/v1/tokens/${token.id}/takeover`, { user: 'dave' })
  await table.getByText('takeover.started').waitFor()
  await page.getByRole('button', { name: 'Clear the list' }).click()
  await page.getByText('Nothing has happened').waitFor()
  await closeWithoutFaults(page)
})

test('events that happen while another view is open are there on the return', async () => {
  const { page, table } = await openEvents()
  await page.getByRole('link', { name: 'Look up' }).click()
  await page.getByRole('heading', { name: 'By user' }).waitFor()
  await at.node.issue('meanwhile')
  await page.getByRole('link', { name: 'Live events' }).click()
  await table.getByText('meanwhile').waitFor()
  assert.equal(await table.getByText('Events may be missing here').count(), 0)
  await closeWithoutFaults(page)
})

test('the overview shows the traffic', async () => {
  const page = await openSignedIn(at.browser, at.node)
  await page.getByText('Node ready').waitFor()
  const { token } = await at.node.issue('alice')
  let isDone = false
  const traffic = (async () => {
    while (!isDone) await at.node.auth(token)
  })()
  const legend = page.locator('figure', { hasText: 'Validations' }).getByRole('listitem').first()
  await page.waitForFunction((element) => /valid [1-9]/.test(element.innerText), await legend.elementHandle())
  await page.getByText('append-only file').waitFor()
  isDone = true
  await traffic
  await closeWithoutFaults(page)
})

test('an outage of Redis is shown, changes nothing, and ends by itself', async () => {
  const token = await at.node.issue('outage')
  const overview = await openSignedIn(at.browser, at.node)
  await overview.getByText('Node ready').waitFor()
  const { page: feed, table } = await openEvents()
  const page = await openSignedIn(at.browser, at.node, { hash: '#/users/outage' })
  const revoke = page.getByRole('button', { name: `Revoke the token ${token.id}` })
  await revoke.waitFor()
  await at.redis.stop()
  await overview.getByText('Node not ready').waitFor()
  await overview.getByRole('log', { name: 'Faults' }).getByText('fatal').waitFor()
  await revoke.click()
  await confirm(page, 'Revoke 1 token?', 'Revoke it')
  await message(page, 'The store is not available.')
  await message(page, 'Whether the change was made is unknown.')
  await page.getByText('continues by itself when the node is ready').waitFor()
  assert.equal(await revoke.count(), 1, 'the page stays')
  await at.redis.start()
  await page.getByText('continues by itself when the node is ready').waitFor({ state: 'detached' })
  await overview.getByText('Node ready').waitFor()
  await table.getByText('Events may be missing here').waitFor()
  await revoke.click()
  await confirm(page, 'Revoke 1 token?', 'Revoke it')
  await message(page, '1 token of outage revoked.')
  await table.getByText('token.revoked').waitFor()
  await Promise.all([overview, feed, page].map(closeWithoutFaults))
})

test('a node that does not answer is shown, and found again', async () => {
  const { page, table } = await openEvents()
  await at.node.issue('before')
  await table.getByText('before').waitFor()
  await page.context().setOffline(true)
  await page.getByRole('link', { name: 'Look up' }).click()
  await page.getByRole('region', { name: 'By user' }).getByLabel('User').fill('before')
  await page.getByRole('region', { name: 'By user' }).getByRole('button').click()
  await page.getByText('The node does not answer.').first().waitFor()
  await page.getByText('continues by itself when the node is ready').waitFor()
  await page.context().setOffline(false)
  await page.getByRole('table', { name: 'Tokens of before' }).waitFor()
  await page.getByText('The node does not answer.').first().waitFor({ state: 'detached' })
  await closeWithoutFaults(page)
})

test('signing in at a node that does not answer says so', async () => {
  const node = await at.startNode()
  const page = await openSignedIn(at.browser, node)
  await page.getByRole('button', { name: 'Sign out' }).click()
  await node.stop()
  await page.getByLabel('API key').fill('a-key-that-nobody-can-check-0123456789')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('Try again when it answers.').waitFor()
  await closeWithoutFaults(page)
})
