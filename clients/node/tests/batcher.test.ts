/** Micro-batching. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Admin, Batcher, type Token, type Verdict } from 'doorward'
import { FakeServer, Server, json } from './servers.js'

/** How many tokens each request asked about. */
function sizes(fake: FakeServer): number[] {
  return fake.requests.map((request) => JSON.parse(request.split('\r\n\r\n')[1]!).tokens.length)
}

/** Judges every token as invalid. */
function refuseAll(_: number, request: string): string {
  const { tokens } = JSON.parse(request.split('\r\n\r\n')[1]!)
  return json('200 OK', { results: tokens.map(() => ({ is_active: false })) })
}

test('concurrent checks share their calls', async (t) => {
  const server = await Server.start(t)
  const issued = await Promise.all(Array.from({ length: 20 }, (_, n) => server.issue(`user-${n}`)))
  const batcher = new Batcher(server.admin(), { timeout: 30_000 })
  const asked = Array.from({ length: 300 }, (_, n) => (n % 3 === 2 ? 'dw_forged' : issued[n % 20]!.token))
  const verdicts: Verdict[] = await Promise.all(asked.map((token) => batcher.check(token)))
  verdicts.forEach(({ status, identity }, n) => {
    if (n % 3 === 2) assert.equal(status, 401)
    else assert.deepEqual([identity?.user, identity?.tokenId], [`user-${n % 20}`, issued[n % 20]!.id])
  })
})

test('a batch has at most 1,000 tokens and fits the body', async (t) => {
  const fake = await FakeServer.start(t, refuseAll)
  const batcher = new Batcher(new Admin(fake.url, 'key', { timeout: 30_000 }), { timeout: 30_000 })
  await Promise.all(Array.from({ length: 2500 }, () => batcher.check('dw_short')))
  assert.deepEqual(sizes(fake).sort(), [1000, 1000, 500])
  fake.requests.length = 0
  await Promise.all(Array.from({ length: 100 }, () => batcher.check('x'.repeat(1000))))
  assert(sizes(fake).length === 2 && fake.requests.every((request) => request.length < 64 * 1024))
})

test('a batch that fails fails for its callers only', async (t) => {
  let isDown = true
  const fake = await FakeServer.start(t, (n, request) => (isDown ? json('503 Down', {}) : refuseAll(n, request)))
  const batcher = new Batcher(new Admin(fake.url, 'key', { timeout: 30_000 }), { timeout: 30_000 })
  const failed = await Promise.allSettled(Array.from({ length: 10 }, () => batcher.check('dw_x')))
  for (const each of failed) assert(each.status === 'rejected' && each.reason.name === 'Unavailable')
  isDown = false
  assert.equal((await batcher.check('dw_x')).status, 401)
})

test('a refused API key is unavailable, never 401', async (t) => {
  const server = await Server.start(t)
  const batcher = new Batcher(new Admin(server.adminUrl, 'wrong', { timeout: 30_000 }), { timeout: 30_000 })
  await assert.rejects(batcher.check('dw_x'), { name: 'Unavailable', message: /batch of checks failed: 401/ })
})

test('the queue is bounded, and so is the wait', async (t) => {
  const fake = await FakeServer.start(t, () => '')
  const batcher = new Batcher(new Admin(fake.url, 'key', { timeout: 30_000 }), { maxWaiting: 2, timeout: 100 })
  const waiting = [batcher.check('dw_a'), batcher.check('dw_b')].map((each) => assert.rejects(each, /in time/))
  await assert.rejects(batcher.check('dw_c'), { name: 'Unavailable', message: /too many checks/ })
  await Promise.all(waiting)
  await assert.rejects(batcher.check('dw_d'), /in time/)
})

test('tokens stand where the validation plane finds them', async (t) => {
  const server = await Server.start(t)
  const cookieOnly = await server.issue('cookie', { allowed_header: false })
  const headerOnly = await server.issue('header', { allowed_cookie: false })
  const checkers = [server.validator(), new Batcher(server.admin(), { timeout: 30_000 })]
  const cookie = (token: Token & { token: string }) => ['Cookie', `a=b; doorward=${token.token}`]
  const bearer = (token: Token & { token: string }) => ['Authorization', `bEARER ${token.token}`]
  const requests = [
    [],
    cookie(cookieOnly),
    bearer(headerOnly),
    bearer(cookieOnly),
    cookie(headerOnly),
    [...bearer(headerOnly), ...cookie(cookieOnly)],
    ['Authorization', 'Basic eA==', ...cookie(cookieOnly)],
    ['Authorization', 'Bearer', ...cookie(cookieOnly)],
    ['Authorization', 'Bearer dw_forged', ...cookie(cookieOnly)],
    [...bearer(headerOnly), ...bearer(headerOnly)],
    ['Cookie', `doorward="${cookieOnly.token}"`],
    ['Cookie', `doorward=${cookieOnly.token}; doorward=other`],
    ['Cookie', `doorward=${cookieOnly.token}; doorward=${cookieOnly.token}`],
    ['Cookie', 'doorward='],
    ['Cookie', 'doorward'],
  ]
  for (const rawHeaders of requests) {
    for (const optional of [false, true]) {
      const [single, batched] = await Promise.all(checkers.map((each) => each.check({ rawHeaders }, { optional })))
      const shown = ({ status, headers, identity }: Verdict) => [status, headers, identity?.tokenId, identity?.via]
      assert.deepEqual(shown(batched!), shown(single!), JSON.stringify(rawHeaders))
    }
  }
})
