/** Every action of the user's page, and its effect on the node. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closeWithoutFaults, confirm, focused, message, openSignedIn } from '../support/browser.js'
import { stage } from '../support/stage.js'

const at = stage()

/** Opens the page of a user with this many tokens. */
async function openUser(user, count) {
  const tokens = []
  for (let made = 0; made < count; made += 1) tokens.push(await at.node.issue(user))
  const page = await openSignedIn(at.browser, at.node, { hash: `#/users/${encodeURIComponent(user)}` })
  await page.getByRole('heading', { name: `User ${user}` }).waitFor()
  return { page, tokens }
}

/** The statuses that the validation plane gives to tokens. */
async function statuses(tokens) {
  return Promise.all(tokens.map(({ token }) => at.node.auth(token)))
}

test('one token is revoked after a confirmation', async () => {
  const { page, tokens } = await openUser('one', 2)
  const revoke = page.getByRole('button', { name: `Revoke the token ${tokens[0].id}` })
  await revoke.click()
  await confirm(page, 'Revoke 1 token?', 'Cancel')
  assert.deepEqual(await statuses(tokens), [200, 200])
  await focused(revoke)
  await revoke.click()
  await confirm(page, 'Revoke 1 token?', 'Revoke it')
  await message(page, '1 token of one revoked.')
  assert.deepEqual(await statuses(tokens), [401, 200])
  await revoke.waitFor({ state: 'detached' })
  await page.getByLabel('Show revoked tokens').check()
  await page.getByText('revoked: ended').waitFor()
  await closeWithoutFaults(page)
})

test('a selection is revoked', async () => {
  const { page, tokens } = await openUser('some', 4)
  for (const { id } of tokens.slice(0, 2)) await page.getByLabel(`Select the token ${id}`).check()
  await page.getByRole('button', { name: 'Revoke selected (2)' }).click()
  await confirm(page, 'Revoke 2 tokens?', 'Revoke 2')
  await message(page, '2 tokens revoked.')
  assert.deepEqual(await statuses(tokens), [401, 401, 200, 200])
  await closeWithoutFaults(page)
})

test('all but one are revoked', async () => {
  const { page, tokens } = await openUser('but-one', 3)
  await page.getByRole('button', { name: `Keep only this token, ${tokens[1].id}` }).click()
  await confirm(page, 'Revoke 2 tokens of but-one?', 'Revoke 2')
  await message(page, '2 tokens of but-one revoked.')
  assert.deepEqual(await statuses(tokens), [401, 200, 401])
  await closeWithoutFaults(page)
})

test('all are revoked, more than a page shows', async () => {
  const { page, tokens } = await openUser('all', 55)
  await page.getByRole('button', { name: 'Select the 50 shown' }).waitFor()
  await page.getByRole('button', { name: 'Show more' }).click()
  await page.getByRole('button', { name: 'Select the 55 shown' }).waitFor()
  await page.getByRole('button', { name: 'Revoke all tokens' }).click()
  await confirm(page, 'Revoke 55 tokens of all?', 'Revoke 55')
  await message(page, '55 tokens of all revoked.')
  await page.getByText('The user has no live token.').waitFor()
  assert((await statuses(tokens)).every((status) => status === 401))
  await closeWithoutFaults(page)
})

test('a takeover is ended, by the token and by the user who was taken over', async () => {
  const { page, tokens } = await openUser('actor', 2)
  for (const { id } of tokens)
    await at.node.call('POST', `/v1/tokens/${id}/takeover`, { user: 'victim', reason: 'why' })
  await page.reload()
  await page.getByLabel('API key').waitFor()
  await closeWithoutFaults(page)
  const again = await openUser('actor', 0)
  await again.page.getByRole('button', { name: 'End takeover of victim' }).first().click()
  await confirm(again.page, 'End 1 takeover of victim?', 'End it')
  await message(again.page, 'The takeover of victim by actor has ended.')
  await closeWithoutFaults(again.page)
  const victim = await openUser('victim', 0)
  await victim.page.getByText('why').first().waitFor()
  await victim.page.getByRole('button', { name: 'End takeover of victim by actor' }).click()
  await confirm(victim.page, 'End 1 takeover of victim?', 'End it')
  await message(victim.page, 'The takeover of victim by actor has ended.')
  const { takeovers } = await at.node.call('GET', '/v1/users/victim/takeovers')
  assert.deepEqual(
    takeovers.map(({ is_active }) => is_active),
    [false, false],
  )
  assert.deepEqual(await statuses(tokens), [200, 200])
  await closeWithoutFaults(victim.page)
})

test('a device key is deactivated with its tokens, and activated again', async () => {
  const made = await at.node.call('POST', '/v1/users/dora/devices', { uuid: 'phone', name: 'Phone' })
  const login = { uuid: 'phone', login_token: made.login_token, ip: '203.0.113.7' }
  const token = await at.node.call('POST', '/v1/devices/login', login)
  const { page } = await openUser('dora', 0)
  await page.getByRole('button', { name: 'Deactivate the device key Phone' }).click()
  await page.getByText('1 token that it logged in will be revoked.').waitFor()
  await confirm(page, 'Deactivate 1 device key?', 'Deactivate it')
  await message(page, 'The device key Phone is inactive.')
  assert.deepEqual(await statuses([token]), [401])
  await page.getByRole('button', { name: 'Activate the device key Phone' }).click()
  await message(page, 'The device key Phone is active.')
  assert((await at.node.call('GET', '/v1/users/dora/devices/phone')).is_active)
  await page.getByRole('table', { name: 'History of dora' }).getByText('device.activated').waitFor()
  await closeWithoutFaults(page)
})

test('a user is locked and unlocked', async () => {
  const { page, tokens } = await openUser('lou', 1)
  await page.getByRole('button', { name: 'Lock the user' }).click()
  await confirm(page, 'Lock lou?', 'Lock')
  await message(page, 'lou is locked.')
  assert.deepEqual(await statuses(tokens), [401])
  await page.getByRole('button', { name: 'Unlock the user' }).click()
  await confirm(page, 'Unlock lou?', 'Unlock')
  await message(page, 'lou is unlocked.')
  assert.deepEqual(await statuses(tokens), [200])
  await closeWithoutFaults(page)
})

test('a change that is refused changes nothing and says why', async () => {
  const { page, tokens } = await openUser('gone', 1)
  await at.node.call('DELETE', '/v1/users/gone')
  await page.getByRole('button', { name: `Revoke the token ${tokens[0].id}` }).click()
  await confirm(page, 'Revoke 1 token?', 'Revoke it')
  await message(page, 'There is no such record.')
  await page.getByText('The user has no live token.').waitFor()
  await closeWithoutFaults(page)
})
