/** The validation plane. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Identity, Validator, type ClientRequest } from 'doorward'
import { FakeServer, OK, Server } from './servers.js'

function request(...rawHeaders: string[]): ClientRequest {
  return { rawHeaders, host: 'shop.example', client: '198.51.100.9' }
}

test('a valid token is its user', async (t) => {
  const server = await Server.start(t)
  const token = await server.issue('zoë %', { scopes: ['a', 'b'], auth_slug: 'web', backend: 'ldap' })
  const validator = server.validator()
  const { status, identity } = await validator.check(token.token)
  assert.equal(status, 200)
  assert(identity !== null && identity.expiresIn > 3000)
  const { expiresIn: _, ...rest } = identity
  const shown = { user: 'zoë %', actor: 'zoë %', tokenId: token.id, slug: 'web', backend: 'ldap', device: null }
  assert.deepEqual(rest, { ...shown, scopes: ['a', 'b'], via: 'header' })
  assert(!identity.isTakeover)
  const byCookie = await validator.check(request('Cookie', `a=b; doorward=${token.token}`))
  assert.equal(byCookie.identity?.via, 'cookie')
})

test('a takeover acts as its user', async (t) => {
  const server = await Server.start(t)
  const token = await server.issue()
  await server.admin().startTakeover(token.id, 'bob')
  const { identity } = await server.validator().check(token.token)
  assert.deepEqual([identity?.user, identity?.actor, identity?.isTakeover], ['bob', 'alice', true])
})

test('a request without a valid token is refused as doorward says', async (t) => {
  const server = await Server.start(t)
  const validator = server.validator()
  const none = await validator.check(request())
  assert.deepEqual([none.status, none.headers], [401, { 'WWW-Authenticate': 'Bearer realm="doorward"' }])
  const { token, id } = await server.issue()
  await server.admin().revoke(id)
  for (const invalid of [token, 'dw_forged', '', 'a\r\nb', 'ü', 'x'.repeat(5000)]) {
    const verdict = await validator.check(invalid)
    assert.equal(verdict.headers['WWW-Authenticate'], 'Bearer realm="doorward", error="invalid_token"', invalid)
    const { allowed, identity } = await validator.check(invalid, { optional: true })
    assert.deepEqual([allowed, identity], [true, null])
  }
})

test('two authorization headers reach doorward as two', async (t) => {
  const server = await Server.start(t)
  const { token } = await server.issue()
  const twice = request('Authorization', `Bearer ${token}`, 'authorization', `Bearer ${token}`)
  assert.equal((await server.validator().check(twice)).status, 401)
})

test('a named check says why it refuses', async (t) => {
  const server = await Server.start(t, { checks: 'orders:scopes=orders' })
  const validator = server.validator()
  const { token } = await server.issue()
  const refused = await validator.check(token, { name: 'orders' })
  assert.deepEqual([refused.status, refused.reason], [403, 'check'])
  await assert.rejects(validator.check(token, { name: 'unknown' }), { name: 'Unavailable' })
  await assert.rejects(validator.check(token, { name: 'orders', optional: true }), TypeError)
})

test('the second factor is still to come', async (t) => {
  const server = await Server.start(t)
  const { id, token } = await server.issue('alice', { is_authenticated: false })
  const validator = server.validator()
  const { status, reason } = await validator.check(token)
  assert.deepEqual([status, reason], [403, 'second-factor'])
  await server.admin().confirm(id)
  assert((await validator.check(token)).allowed)
})

test('a logout clears the cookie, unless another site caused it', async (t) => {
  const server = await Server.start(t)
  const { token } = await server.issue()
  const validator = server.validator()
  const cookie = ['Cookie', `doorward=${token}`]
  const forged = await validator.logout(request(...cookie, 'Sec-Fetch-Site', 'cross-site'))
  assert.deepEqual(forged, { ended: null, setCookies: [] })
  const { ended, setCookies } = await validator.logout(request(...cookie, 'Sec-Fetch-Site', 'same-origin'))
  assert.equal(ended, 'token')
  assert.match(setCookies.join(), /^doorward=;.*Max-Age=0/)
  assert.equal((await validator.logout(request(...cookie))).ended, null)
})

test('doorward sees what the application sees, and nothing else', async (t) => {
  const fake = await FakeServer.start(t, () => OK)
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const sent = request('traceparent', traceparent, 'X-Forwarded-For', '6.6.6.6', 'X-Custom', 'v', 'Accept', '*/*')
  await new Validator(fake.url, { forwardHeaders: ['x-custom'] }).check({ ...sent, method: 'DELETE', scheme: 'https' })
  const lines = fake.requests[0]!.toLowerCase().trim().split('\r\n').slice(1).sort()
  assert.deepEqual(lines, [
    'connection: keep-alive',
    'host: shop.example',
    `traceparent: ${traceparent}`,
    'x-custom: v',
    'x-forwarded-for: 198.51.100.9',
    'x-forwarded-host: shop.example',
    'x-forwarded-method: delete',
    'x-forwarded-proto: https',
  ])
})

test('identity headers are read as the proxy sends them', () => {
  const read = (user: string) => Identity.fromHeaders({ 'x-auth-user': user, 'x-auth-token-id': 'x' })?.user
  assert.equal(read('zo%C3%AB%20%25'), 'zoë %')
  assert.equal(read('-'), undefined)
  assert.equal(read(''), undefined)
  assert.equal(read('%ff'), '%ff')
  assert.equal(Identity.fromHeaders({}), null)
})
