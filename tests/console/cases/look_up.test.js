/** The look-up by user, token and related object, and the pages that it leads to. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closeWithoutFaults, confirm, message, openSignedIn } from '../support/browser.js'
import { stage } from '../support/stage.js'

const at = stage()

/** Opens the look-up, and returns a function that fills one of its forms and sends it. */
async function openLookUp() {
  const page = await openSignedIn(at.browser, at.node, { hash: '#/lookup' })
  const lookUp = async (heading, values) => {
    const form = page.getByRole('region', { name: heading })
    for (const [label, value] of Object.entries(values)) await form.getByLabel(label).fill(value)
    await form.getByRole('button', { name: 'Look up' }).click()
  }
  return { page, lookUp }
}

test('a user is found by any name, also by one that an address must escape', async () => {
  const user = 'a/b ?#%é'
  await at.node.issue(user)
  const { page, lookUp } = await openLookUp()
  await lookUp('By user', { User: '' })
  await page.getByText('Enter a user.').waitFor()
  await lookUp('By user', { User: user })
  await page.getByRole('heading', { name: `User ${user}` }).waitFor()
  await page.getByRole('table', { name: `Tokens of ${user}` }).waitFor()
  await closeWithoutFaults(page)
})

test('a token is found by its id or its string, whose secret goes nowhere', async () => {
  const issued = await at.node.issue('alice', { user_agent: 'shop/1' })
  const { page, lookUp } = await openLookUp()
  await lookUp('By token', { 'Token id': 'nonsense' })
  await page.getByText('A token id has 16 of A-Z a-z 0-9 _ -.').waitFor()
  await lookUp('By token', { 'Token id': issued.token })
  await page.getByRole('heading', { name: `Token ${issued.id}` }).waitFor()
  await page.getByText('shop/1').waitFor()
  const shown = await page.evaluate(() => location.href + document.documentElement.outerHTML)
  assert(!shown.includes(issued.token.slice(19)))
  await page.getByRole('button', { name: 'Revoke the token' }).click()
  await confirm(page, 'Revoke 1 token?', 'Revoke it')
  await message(page, '1 token of alice revoked.')
  await page.getByText('(ended)').waitFor()
  assert.equal(await at.node.auth(issued.token), 401)
  await closeWithoutFaults(page)
})

test('an unknown token is said to be unknown', async () => {
  const { page, lookUp } = await openLookUp()
  await lookUp('By token', { 'Token id': 'AAAAAAAAAAAAAAAA' })
  await page.getByRole('region', { name: 'Record' }).getByText('There is no such record.').waitFor()
  await closeWithoutFaults(page)
})

test('the tokens of an object are found and revoked', async () => {
  const related_objects = [{ content_type: 'shop.order', object_id: '1/7' }]
  const tokens = await Promise.all(['ann', 'ben'].map((user) => at.node.issue(user, { related_objects })))
  const { page, lookUp } = await openLookUp()
  await lookUp('By related object', { 'Content type': 'shop.order' })
  await page.getByText('Enter a content type and an object id.').waitFor()
  await lookUp('By related object', { 'Content type': 'shop.order', 'Object id': '1/7' })
  await page.getByRole('link', { name: 'ann' }).waitFor()
  await page.getByRole('button', { name: 'Revoke all tokens' }).click()
  await confirm(page, 'Revoke 2 tokens of shop.order 1/7?', 'Revoke 2')
  await message(page, '2 tokens of shop.order 1/7 revoked.')
  await page.getByText('No live token is related to this object.').waitFor()
  assert.deepEqual(await Promise.all(tokens.map(({ token }) => at.node.auth(token))), [401, 401])
  await closeWithoutFaults(page)
})

test('an address that names no view says so', async () => {
  const page = await openSignedIn(at.browser, at.node, { hash: '#/users/%ff' })
  await page.getByRole('heading', { name: 'No such view' }).waitFor()
  await page.getByRole('main').getByRole('link', { name: 'overview' }).click()
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
  await closeWithoutFaults(page)
})
