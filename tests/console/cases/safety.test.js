/** Texts from the data are never HTML, and every view is accessible, in light and dark, wide and narrow. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  assertAccessible,
  closeWithoutFaults,
  fits,
  focused,
  openConsole,
  openSignedIn,
  openView,
} from '../support/browser.js'
import { seed } from '../support/seed.js'
import { stage } from '../support/stage.js'

const at = stage()
const HOSTILE = '<img src=x onerror=alert(1)>'

test('a text that looks like HTML is shown as it is', async () => {
  const related_objects = [{ content_type: HOSTILE, object_id: HOSTILE }]
  const page = await openSignedIn(at.browser, at.node, { hash: '#/events' })
  await page.getByText('Live', { exact: true }).waitFor()
  const token = await at.node.issue(HOSTILE, { user_agent: HOSTILE, backend: HOSTILE, related_objects })
  await at.node.call('POST', `/v1/tokens/${token.id}/takeover`, { user: `${HOSTILE}2`, reason: HOSTILE })
  await at.node.call('POST', `/v1/users/${encodeURIComponent(HOSTILE)}/devices`, { uuid: 'x', name: HOSTILE })
  await page.getByRole('table').getByText(HOSTILE).first().waitFor()
  for (const [hash, heading] of [
    [`#/users/${encodeURIComponent(HOSTILE)}`, `User ${HOSTILE}`],
    [`#/users/${encodeURIComponent(`${HOSTILE}2`)}`, `User ${HOSTILE}2`],
    [`#/tokens/${token.id}`, `Token ${token.id}`],
    [`#/related/${encodeURIComponent(HOSTILE)}/${encodeURIComponent(HOSTILE)}`, `Object ${HOSTILE} ${HOSTILE}`],
  ]) {
    await openView(page, hash, heading)
    await page.getByRole('table').getByText(HOSTILE).first().waitFor()
    assert.equal(await page.locator('main img').count(), 0, hash)
  }
  await closeWithoutFaults(page)
})

test('the policy forbids code, styles and connections from elsewhere', async () => {
  const page = await openConsole(at.browser, at.node)
  const violations = page.evaluate(
    () =>
      new Promise((resolve) => {
        const directives = new Set()
        document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => {
          directives.add(effectiveDirective)
          if (directives.size === 4) resolve([...directives].sort())
        })
        document.body.append(Object.assign(document.createElement('img'), { src: 'http://192.0.2.1/x.png' }))
        document.body.setAttribute('style', 'color: red')
        fetch('http://192.0.2.1/').catch(() => {})
        try {
          document.body.innerHTML = '<b>text</b>'
        } catch {
          // The policy makes it throw; the event counts.
        }
      }),
  )
  assert.deepEqual(await violations, ['connect-src', 'img-src', 'require-trusted-types-for', 'style-src-attr'])
  await page.context().close()
})

test('axe finds no fault in any view, and none is wider than its screen', async () => {
  const { acting } = await seed(at.node)
  await at.node.call('PUT', '/v1/users/alice/lock')
  const views = [
    ['#/lookup', 'Look up'],
    ['#/overview', 'Overview'],
    ['#/events', 'Live events'],
    ['#/users/alice', 'User alice'],
    [`#/tokens/${acting.id}`, `Token ${acting.id}`],
    ['#/related/shop.order/17', 'Object shop.order 17'],
  ]
  for (const [colorScheme, width] of [
    ['light', 1280],
    ['dark', 1280],
    ['light', 360],
    ['dark', 360],
  ]) {
    const options = { colorScheme, viewport: { width, height: 740 } }
    const outside = await openConsole(at.browser, at.node, options)
    await outside.getByLabel('API key').waitFor()
    await assertAccessible(outside)
    await closeWithoutFaults(outside)
    const page = await openSignedIn(at.browser, at.node, options)
    for (const [hash, heading] of views) {
      await openView(page, hash, heading)
      if (hash === '#/events') {
        await page.getByText('Live', { exact: true }).waitFor()
        await at.node.issue('eve')
      }
      if (hash !== '#/lookup') await page.getByRole('table').first().waitFor()
      await assertAccessible(page)
      await fits(page)
    }
    await openView(page, '#/users/alice', 'User alice')
    await page.getByRole('button', { name: 'Revoke all tokens' }).click()
    await page.getByRole('dialog').waitFor()
    await assertAccessible(page)
    await closeWithoutFaults(page)
  }
})

test('the keyboard is enough', async () => {
  await at.node.issue('keyboard')
  const page = await openConsole(at.browser, at.node)
  await focused(page.getByRole('heading', { name: 'Sign in' }))
  await page.keyboard.press('Tab')
  await page.keyboard.type('the-key-of-the-console-tests-0123456789')
  await page.keyboard.press('Enter')
  await focused(page.getByRole('heading', { name: 'Overview' }))
  await openView(page, '#/users/keyboard', 'User keyboard')
  const revoke = page.getByRole('button', { name: 'Revoke all tokens' })
  await revoke.focus()
  await page.keyboard.press('Enter')
  await focused(page.getByRole('dialog').getByRole('button', { name: 'Cancel' }))
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  await focused(revoke)
  await closeWithoutFaults(page)
})
