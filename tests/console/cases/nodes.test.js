/** All nodes of the store on the overview: one appears, stops, is killed; an outage. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertAccessible, closeWithoutFaults, openSignedIn } from '../support/browser.js'
import { stage } from '../support/stage.js'

const at = stage()

/** Opens the overview, and waits for the list of the nodes. */
async function openNodes(options = {}) {
  const page = await openSignedIn(at.browser, at.node, options)
  const table = page.getByRole('table', { name: 'Nodes' })
  await table.waitFor()
  const row = (name) => table.getByRole('row').filter({ hasText: name })
  return { page, table, row }
}

const named = (name) => ({ DOORWARD_NODE_NAME: name })

test('a node appears with its figures, and is gone when it has stopped', async () => {
  const { page, row } = await openNodes()
  await page.getByText('1 of 1 ready').waitFor()
  const second = await at.startNode(named('second'))
  await row('second').getByText('ready', { exact: true }).waitFor()
  await page.getByText('2 of 2 ready').waitFor()
  const { token } = await second.issue('alice')
  let isDone = false
  const traffic = (async () => {
    while (!isDone) await second.auth(token)
  })()
  await row('second')
    .getByText(/^[1-9][\d,.]*\/s$/)
    .first()
    .waitFor()
  const chart = page.locator('figure', { hasText: 'Validations' }).getByRole('listitem').first()
  const shows = async (pattern) =>
    page.waitForFunction(
      ([element, text]) => new RegExp(text).test(element.innerText),
      [await chart.elementHandle(), pattern],
    )
  await page.getByLabel('Of').selectOption({ label: 'second' })
  await shows('valid [1-9]')
  const own = await page.getByLabel('Of').locator('option', { hasText: 'this node' }).textContent()
  await page.getByLabel('Of').selectOption({ label: own })
  await shows('valid 0/s')
  isDone = true
  await traffic
  await page.getByLabel('Of').selectOption({ label: 'second' })
  await second.terminate()
  await row('second').waitFor({ state: 'detached' })
  await page.getByText('1 of 1 ready').waitFor()
  assert.equal(await page.getByLabel('Of').count(), 0, 'there is nothing to choose')
  await shows('valid')
  await closeWithoutFaults(page)
})

test('a node that is killed is silent', async () => {
  const { page, row } = await openNodes()
  const killed = await at.startNode(named('killed'))
  await row('killed').getByText('ready', { exact: true }).waitFor()
  await killed.stop()
  await row('killed').getByText('silent').waitFor()
  await row('killed')
    .getByText(/last report \d+ s ago/)
    .waitFor()
  await assertAccessible(page)
  await closeWithoutFaults(page)
})

test('the list is usable on a narrow screen and in the dark', async () => {
  await at.startNode(named('a-name-of-a-node-that-is-as-long-as-the-name-of-a-node-may-be-here'.slice(0, 64)))
  const { page, row } = await openNodes({ colorScheme: 'dark', viewport: { width: 360, height: 740 } })
  await row('a-name-of-a-node').waitFor()
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  )
  assert.equal(overflow, 0)
  await assertAccessible(page)
  await page.getByLabel('Of').focus()
  await page.keyboard.press('ArrowDown')
  await closeWithoutFaults(page)
})

test('an outage leaves the own node, and every view shows it by itself', async () => {
  await at.startNode(named('other'))
  const { page, row } = await openNodes()
  await row('other').waitFor()
  const idle = await openSignedIn(at.browser, at.node, { hash: '#/lookup' })
  await idle.getByRole('heading', { name: 'By user' }).waitFor()
  await at.redis.stop()
  await page.getByText('The reports of the other nodes cannot be read').waitFor()
  await row('other').waitFor({ state: 'detached' })
  await row('this node').getByText('unreachable').waitFor()
  await page.getByText('other nodes unknown').waitFor()
  await idle.getByRole('alert').getByText('The node is not ready').waitFor()
  await at.redis.start()
  await row('other').getByText('ready', { exact: true }).waitFor()
  await idle.getByRole('alert').getByText('The node is not ready').waitFor({ state: 'detached' })
  await page.getByText('The reports of the other nodes cannot be read').waitFor({ state: 'detached' })
  await Promise.all([page, idle].map(closeWithoutFaults))
})
