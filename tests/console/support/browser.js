/** Chromium, and pages that notice what the console must not do. */

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'

const PROGRAMS = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]
/** Milliseconds for everything that should happen soon, even on a busy machine. */
const DEADLINE = 60_000
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Starts Chromium. */
export function startBrowser() {
  const executablePath = PROGRAMS.find((program) => program && existsSync(program))
  assert(executablePath, 'no Chromium was found: run scripts/setup, or name it by the variable CHROMIUM')
  return chromium.launch({ executablePath, args: ['--no-sandbox'] })
}

/**
 * Opens the console in a new page.
 * @param {import('playwright-core').Browser} browser
 * @param {import('./api.js').Api} node
 * @param {import('playwright-core').BrowserContextOptions & {hash?: string}} options
 */
export async function openConsole(browser, node, { hash = '', ...options } = {}) {
  const context = await browser.newContext({ locale: 'en-GB', timezoneId: 'UTC', ...options })
  context.setDefaultTimeout(DEADLINE)
  const page = await context.newPage()
  page.faults = []
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== node.admin) page.faults.push(`request to ${request.url()}`)
  })
  page.on('pageerror', (error) => page.faults.push(`error: ${error.stack}`))
  page.on('console', (message) => {
    // Chromium reports each refused call, which the console shows to the person.
    const isRefusedCall = message.text().startsWith('Failed to load resource')
    if (['error', 'warning'].includes(message.type()) && !isRefusedCall) page.faults.push(message.text())
  })
  page.on('dialog', (dialog) => {
    page.faults.push(`dialog: ${dialog.message()}`)
    dialog.dismiss()
  })
  await page.goto(`${node.admin}/console/${hash}`)
  return page
}

/** Opens the console and signs in. */
export async function openSignedIn(browser, node, { key = node.key, ...options } = {}) {
  const page = await openConsole(browser, node, options)
  await signIn(page, key)
  return page
}

/** Signs in at the page. @param {import('playwright-core').Page} page */
export async function signIn(page, key) {
  await page.getByLabel('API key').fill(key)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('button', { name: 'Sign out' }).waitFor()
}

/**
 * Opens another view of the page, and waits until it shows its data and has moved the focus to its heading: before that,
 * the view before may still be shown, and the focus may still move.
 */
export async function openView(page, hash, heading) {
  await page.evaluate((hash) => (location.hash = hash), hash)
  await focused(page.getByRole('heading', { name: heading, level: 1 }))
  await page.waitForFunction(() => !document.body.innerText.includes('Loading…'))
}

/** Waits until the element has the focus: the page moves the focus after it has shown the element. */
export async function focused(locator) {
  await locator.and(locator.page().locator(':focus')).waitFor()
}

/** Asserts that the page did nothing it must not, and closes it. */
export async function closeWithoutFaults(page) {
  assert.deepEqual(page.faults, [])
  await page.context().close()
}

/** Asserts that axe finds no fault on the page. */
export async function assertAccessible(page) {
  // Evaluated by the debugger: the page's policy forbids foreign scripts.
  await page.evaluate(AXE)
  const { violations } = await page.evaluate(() => globalThis.axe.run())
  const faults = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`)
  assert.deepEqual(faults, [])
}

/** Waits until the page is no wider than its screen: a chart takes the width of its figure after it has appeared. */
export async function fits(page) {
  const isFitting = () => document.documentElement.scrollWidth === document.documentElement.clientWidth
  await page.waitForFunction(isFitting).catch((error) => {
    throw new Error(`${page.url()} is wider than its screen`, { cause: error })
  })
}

/** Answers the dialog. */
export async function confirm(page, title, action) {
  const dialog = page.getByRole('dialog', { name: title })
  await dialog.waitFor()
  await dialog.getByRole('button', { name: action }).click()
  await dialog.waitFor({ state: 'detached' })
}

/** Waits for a message. */
export async function message(page, text) {
  await page.getByRole('log', { name: 'Messages' }).getByText(text).first().waitFor()
}
