/**
 * Takes the pictures of docs/console.md: every view, wide and narrow, light and dark. Usage: screenshots.js FOLDER.
 * pngquant, which Debian has, makes them small.
 */

import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { openConsole, openSignedIn, startBrowser } from './support/browser.js'
import { Node, Redis } from './support/programs.js'
import { seed } from './support/seed.js'

/** Seconds of traffic before the overview is taken. */
const TRAFFIC = 40
/** Seconds of an outage before it is taken. */
const OUTAGE = 8
const WIDTHS = [1280, 360]
const SCHEMES = ['light', 'dark']

const folder = process.argv[2] ?? '.'
mkdirSync(folder, { recursive: true })
const redis = await new Redis().start()
const start = (name) => Node.start({ DOORWARD_REDIS_URL: redis.url, DOORWARD_NODE_NAME: name })
const node = await start('doorward-0')
const other = await start('doorward-1')
const browser = await startBrowser()
try {
  const { acting } = await seed(node)
  const traffic = makeTraffic(acting.token)
  const variants = WIDTHS.flatMap((width) => SCHEMES.map((colorScheme) => ({ width, colorScheme })))
  for (const variant of variants) await takeAll(variant, acting)
  traffic.stop()
} finally {
  await browser.close()
  await Promise.all([node.stop(), other.stop()])
  await redis.remove()
}
const pictures = readdirSync(folder).filter((name) => name.endsWith('.png'))
execFileSync('pngquant', [
  '--force',
  '--ext',
  '.png',
  '--speed',
  '1',
  '64',
  ...pictures.map((name) => join(folder, name)),
])

async function takeAll({ width, colorScheme }, acting) {
  const options = { viewport: { width, height: width > 400 ? 800 : 740 }, colorScheme }
  const take = async (page, name, fullPage = true) => {
    await page.mouse.move(0, 0)
    await page.screenshot({ path: `${folder}/${name}-${width}-${colorScheme}.png`, fullPage })
  }
  const outside = await openConsole(browser, node, options)
  await outside.getByRole('heading', { name: 'Sign in' }).waitFor()
  await take(outside, 'sign-in')
  const page = await openSignedIn(browser, node, options)
  const feed = await openSignedIn(browser, node, { ...options, hash: '#/events' })
  await feed.getByText('Live', { exact: true }).waitFor()
  await page.waitForTimeout(TRAFFIC * 1000)
  await take(page, 'overview')
  await makeEvents()
  await feed.getByText('takeover.ended').first().waitFor()
  await take(feed, 'events', false)
  const open = (hash) => page.evaluate((hash) => (location.hash = hash), hash)
  await open('#/lookup')
  await page.getByRole('heading', { name: 'By user' }).waitFor()
  await take(page, 'look-up')
  await open('#/users/alice')
  await page.getByRole('table', { name: 'History of alice' }).waitFor()
  await page.getByRole('table', { name: 'Takeovers of alice' }).waitFor()
  await take(page, 'user')
  await page.getByRole('button', { name: `Keep only this token, ${acting.id}` }).click()
  await page.getByRole('dialog').waitFor()
  await take(page, 'confirm', false)
  await page.getByRole('button', { name: 'Cancel' }).click()
  await open(`#/tokens/${acting.id}`)
  await page.getByText('Absolute end').waitFor()
  await page.getByRole('table').waitFor()
  await take(page, 'token')
  await open('#/related/shop.order/17')
  await page.getByRole('table').waitFor()
  await take(page, 'related')
  await open('#/overview')
  await page.getByRole('table', { name: 'Nodes' }).waitFor()
  await redis.stop()
  await page.getByText('other nodes unknown').waitFor()
  await page.waitForTimeout(OUTAGE * 1000)
  await take(page, 'outage')
  await redis.start()
  await page.getByText('Node ready').waitFor()
}

/** Changes on the other node, which show in the live feed. */
async function makeEvents() {
  const carol = await other.issue('carol', { user_agent: 'shop/7.2', auth_slug: 'mobile' })
  await other.call('POST', `/v1/tokens/${carol.id}/rotate`)
  await other.call('PUT', '/v1/users/mallory/lock')
  await other.call('PUT', '/v1/cutoffs/backend:ldap', { before: '2026-01-01T00:00:00Z' })
  await other.call('DELETE', `/v1/tokens/${carol.id}`)
  const dave = await other.issue('dave', { user_agent: 'shop/7.2', ip: '2001:db8::21' })
  await other.call('POST', `/v1/tokens/${dave.id}/takeover`, { user: 'erin' })
  await other.call('DELETE', `/v1/tokens/${dave.id}/takeover`)
}

/** Validates and issues tokens at a changing pace. */
function makeTraffic(token) {
  let isStopped = false
  const run = async () => {
    for (let round = 0; !isStopped; round += 1) {
      const size = 20 + Math.round(15 * Math.sin(round / 12))
      await Promise.all(Array.from({ length: size }, (_, n) => (n % 3 ? node : other).auth(token)))
      if (round % 3 === 0) await node.auth(`dw_${'A'.repeat(48)}`)
      // A loaded machine may refuse a login; the charts show that.
      if (round % 5 === 0) await node.issue(`visitor-${round % 40}`).catch(() => {})
      await new Promise((resume) => setTimeout(resume, 100))
    }
  }
  run()
  return { stop: () => (isStopped = true) }
}
