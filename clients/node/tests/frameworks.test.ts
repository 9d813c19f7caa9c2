/** Express and Fastify: logins, refusals, outages, addresses. */

import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Admin, Batcher, Validator } from 'doorward'
import { FakeServer, OK, Redis, Server, json } from './servers.js'
import { FRAMEWORKS, type Parts, type Site } from './sites.js'

function partsOf(server: Server): Parts {
  const validator = server.validator()
  return { checker: validator, validator, admin: server.admin(), adminUrl: server.adminUrl }
}

async function ask(site: Site, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> {
  return fetch(site.url + path, { method, headers })
}

/** Logs a user in; returns the `Cookie` header. */
async function logIn(site: Site, user: string): Promise<{ cookie: string }> {
  const response = await ask(site, `/login?user=${user}`, { 'user-agent': 'a browser' }, 'POST')
  assert.equal(response.status, 200)
  const [cookie] = response.headers.get('set-cookie')!.split(';')
  return { cookie: cookie! }
}

async function assertOutage(response: Response): Promise<void> {
  const told = ['retry-after', 'www-authenticate', 'set-cookie'].map((name) => response.headers.get(name))
  assert.deepEqual([response.status, ...told], [503, '1', null, null])
}

for (const [name, startSite] of Object.entries(FRAMEWORKS)) {
  test(`${name}: a user logs in and out`, async (t) => {
    const server = await Server.start(t)
    const site = await startSite(t, partsOf(server))
    const headers = await logIn(site, 'alice')
    const account = await ask(site, '/account', headers)
    assert.deepEqual(await account.json(), { user: 'alice', actor: 'alice', via: 'cookie' })
    const [token] = (await server.admin().tokens('alice')).items
    assert.deepEqual([token?.ip, token?.user_agent], ['127.0.0.1', 'a browser'])

    await server.admin().startTakeover(token!.id, 'bob')
    const taken = await ask(site, '/public', headers)
    assert.deepEqual(await taken.json(), { user: 'bob', actor: 'alice', via: 'cookie' })
    for (const ended of ['takeover', 'token', null]) {
      const response = await ask(site, '/logout', headers, 'POST')
      assert.deepEqual(await response.json(), { ended })
      if (ended === 'token') assert.match(response.headers.get('set-cookie')!, /^doorward=;.*Max-Age=0/)
    }
    assert.equal((await ask(site, '/account', headers)).status, 401)
  })

  test(`${name}: requests without a valid token are refused, or pass as anonymous`, async (t) => {
    const site = await startSite(t, partsOf(await Server.start(t)))
    const challenges = {
      '': 'Bearer realm="doorward"',
      'Bearer dw_x': 'Bearer realm="doorward", error="invalid_token"',
    }
    for (const [authorization, challenge] of Object.entries(challenges)) {
      const headers: Record<string, string> = authorization ? { authorization } : {}
      const refused = await ask(site, '/account', headers)
      assert.deepEqual([refused.status, await refused.text()], [401, ''])
      assert.equal(refused.headers.get('www-authenticate'), challenge)
      assert.equal(refused.headers.get('cache-control'), 'no-store')
      const passed = await ask(site, '/public', headers)
      assert.deepEqual(await passed.json(), { user: null, actor: null, via: null })
    }
  })

  test(`${name}: a login that waits for its second factor is told so`, async (t) => {
    const server = await Server.start(t)
    const site = await startSite(t, partsOf(server))
    const { token } = await server.issue('alice', { is_authenticated: false })
    const refused = await ask(site, '/account', { authorization: `Bearer ${token}` })
    assert.deepEqual([refused.status, refused.headers.get('x-auth-reason')], [403, 'second-factor'])
  })

  test(`${name}: an outage is 503 on every way, and logs nobody out`, async (t) => {
    const redis = await Redis.start(t)
    const server = await Server.onUnixSockets(t, { redis_url: redis.url })
    const site = await startSite(t, partsOf(server))
    const headers = await logIn(site, 'alice')
    await server.kill()
    for (const path of ['/account', '/public']) {
      await assertOutage(await ask(site, path, headers))
      await assertOutage(await ask(site, path))
    }
    await assertOutage(await ask(site, '/logout', headers, 'POST'))
    await assertOutage(await ask(site, '/login?user=alice', {}, 'POST'))
    await server.restart()
    assert.equal((await ask(site, '/account', headers)).status, 200)
  })

  test(`${name}: requests during a restart get 200 or 503`, async (t) => {
    const redis = await Redis.start(t)
    const server = await Server.onUnixSockets(t, { redis_url: redis.url })
    const site = await startSite(t, partsOf(server))
    const headers = await logIn(site, 'alice')
    const seen: number[] = []
    let isOver = false
    const browse = async () => {
      while (!isOver) {
        seen.push((await ask(site, '/account', headers)).status)
        await sleep(1)
      }
    }
    const browsers = Array.from({ length: 4 }, browse)
    const until = async (status: number) => {
      const from = seen.length
      while (!seen.slice(from).includes(status)) await sleep(1)
    }
    await until(200)
    await server.kill()
    await until(503)
    await server.restart()
    await until(200)
    isOver = true
    await Promise.all(browsers)
    assert.deepEqual([...new Set(seen)].sort(), [200, 503])
  })

  test(`${name}: a silent server is 503`, async (t) => {
    const fake = await FakeServer.start(t, () => '')
    const validator = new Validator(fake.url, { timeout: 50 })
    const admin = new Admin(fake.url, 'key', { timeout: 50 })
    const site = await startSite(t, { checker: validator, validator, admin, adminUrl: fake.url })
    await assertOutage(await ask(site, '/account', { authorization: 'Bearer dw_x' }))
    await assertOutage(await ask(site, '/login?user=alice', {}, 'POST'))
  })

  test(`${name}: a refused API key is a failure of the site, not of the user`, async (t) => {
    const site = await startSite(t, partsOf(await Server.start(t)))
    assert.equal((await ask(site, '/broken')).status, 500)
  })

  test(`${name}: checks can be batched`, async (t) => {
    const server = await Server.start(t)
    const checker = new Batcher(server.admin(), { timeout: 30_000 })
    const site = await startSite(t, { ...partsOf(server), checker })
    const headers = await logIn(site, 'alice')
    const responses = await Promise.all(Array.from({ length: 20 }, () => ask(site, '/account', headers)))
    for (const response of responses) {
      assert.deepEqual(await response.json(), { user: 'alice', actor: 'alice', via: 'cookie' })
    }
    assert.equal((await ask(site, '/account')).status, 401)
    await server.kill()
    await assertOutage(await ask(site, '/account', headers))
  })

  test(`${name}: the client’s address is the proxy’s word only if the site trusts the proxy`, async (t) => {
    const forwarded = {
      'x-forwarded-for': '::ffff:198.51.100.9',
      'x-forwarded-host': 'shop.example',
      'x-forwarded-proto': 'https',
    }
    assert.deepEqual(await seenBehindProxy(t, true, forwarded), ['198.51.100.9', 'shop.example', 'https'])
    const [client, host, scheme] = await seenBehindProxy(t, false, forwarded)
    assert.deepEqual([client, scheme], ['127.0.0.1', 'http'])
    assert.match(host!, /^127\.0\.0\.1:\d+$/)
  })

  async function seenBehindProxy(t: TestContext, trustProxy: boolean, headers: Record<string, string>) {
    const issued = json('201 Created', { id: 'abc', user: 'alice', token: 'dw_x' })
    const fake = await FakeServer.start(t, (_, request) => (request.startsWith('GET') ? OK : issued))
    const validator = new Validator(fake.url, { timeout: 30_000 })
    const admin = new Admin(fake.url, 'key', { timeout: 30_000 })
    const parts = { checker: validator, validator, admin, adminUrl: fake.url }
    const site = await startSite(t, parts, trustProxy)
    await ask(site, '/account', headers)
    await ask(site, '/login?user=alice', headers, 'POST')
    const [check, issue] = fake.requests
    const seen = ['for', 'host', 'proto'].map(
      (name) => new RegExp(`^x-forwarded-${name}: (.*)$`, 'im').exec(check!)![1],
    )
    assert.equal(JSON.parse(issue!.split('\r\n\r\n')[1]!).ip, seen[0])
    return seen
  }
}
