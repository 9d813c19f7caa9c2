/** Signing in: good and bad keys, missing scopes, and where the key is kept. */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { closeWithoutFaults, openConsole, openSignedIn, signIn } from '../support/browser.js'
import { BINARY, KEY, Node } from '../support/programs.js'
import { LIMITED_KEY, stage } from '../support/stage.js'

const at = stage()

test('a wrong key is refused with what to do, and a good one is accepted after it', async () => {
  const page = await openConsole(at.browser, at.node)
  const enter = async (key) => {
    await page.getByLabel('API key').fill(key)
    await page.getByRole('button', { name: 'Sign in' }).click()
  }
  await enter('short')
  await page.getByText('This is no API key.').waitFor()
  await enter('a-key-that-the-node-does-not-know-0123456789')
  await page.getByText('The API key is unknown.').waitFor()
  await page.getByText('Sign in with another API key.').waitFor()
  assert.equal(await page.getByRole('navigation').count(), 0)
  await signIn(page, KEY)
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
  await closeWithoutFaults(page)
})

test('the key is in no storage, address or attribute, and is forgotten by a reload', async () => {
  const page = await openSignedIn(at.browser, at.node)
  await page.getByText('Node ready').waitFor()
  const kept = await page.evaluate(() => {
    const attributes = [...document.querySelectorAll('*')].flatMap((element) => [...element.attributes])
    const texts = [location.href, document.cookie, document.documentElement.outerHTML]
    const stores = [...Object.values({ ...localStorage }), ...Object.values({ ...sessionStorage })]
    return [...texts, ...stores, ...attributes.map(({ value }) => value)].join('\n')
  })
  assert(!kept.includes(KEY))
  assert.deepEqual(await page.context().cookies(), [])
  await page.reload()
  await page.getByLabel('API key').waitFor()
  await closeWithoutFaults(page)
})

test('what the key may not do is shown as such', async () => {
  const token = await at.node.issue('alice')
  await at.node.call('POST', `/v1/tokens/${token.id}/takeover`, { user: 'bob' })
  const page = await openSignedIn(at.browser, at.node, { key: LIMITED_KEY, hash: '#/users/alice' })
  for (const [what, scope] of [
    ['Device keys are', 'devices'],
    ['Takeovers are', 'takeovers'],
    ['The history is', 'events'],
  ]) {
    await page.getByText(`${what} not shown: your API key lacks the scope ${scope}.`).waitFor()
  }
  const end = page.getByRole('button', { name: 'End takeover of bob. Your API key lacks the scope takeovers' })
  assert.equal(await end.getAttribute('aria-disabled'), 'true')
  // A disabled button cannot be clicked by Playwright, but by a person.
  await end.dispatchEvent('click')
  assert.equal(await page.getByRole('dialog').count(), 0)
  assert((await at.node.call('GET', `/v1/tokens/${token.id}`)).takeover, 'the takeover goes on')
  await page.evaluate(() => (location.hash = '#/events'))
  await page.getByText('Events are not shown: your API key lacks the scope events.').waitFor()
  await closeWithoutFaults(page)
})

test('signing out forgets the key and keeps the view', async () => {
  const page = await openSignedIn(at.browser, at.node, { hash: '#/lookup' })
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await signIn(page, KEY)
  await page.getByRole('heading', { name: 'Look up' }).waitFor()
  await closeWithoutFaults(page)
})

test('a key that is removed meanwhile ends the session with the reason', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'doorward-console-'))
  const file = join(folder, 'keys')
  const write = (key) => {
    const hash = execFileSync(BINARY, ['hash-key'], { input: key, encoding: 'utf8' }).trim()
    writeFileSync(file, `only:metrics:${hash}`)
  }
  write(LIMITED_KEY)
  const node = await Node.start({ DOORWARD_API_KEYS_FILE: file })
  const page = await openSignedIn(at.browser, node, { key: LIMITED_KEY })
  write('the-key-that-replaces-the-other-one-0123456789')
  node.reload()
  await page.getByText('You were signed out.').waitFor()
  await page.getByText('The API key is unknown.').waitFor()
  await closeWithoutFaults(page)
  await node.stop()
  rmSync(folder, { recursive: true })
})
