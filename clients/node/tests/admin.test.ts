/** The admin plane: every call once, and its refusals. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { Admin, Conflict, InvalidFields, KeyRefused, LoginRefused, NotFound, Problem, timeToExpiration } from 'doorward'
import { IP, KEY, Server } from './servers.js'

test('a token is issued, changed, rotated and revoked', async (t) => {
  const server = await Server.start(t)
  const admin = server.admin()
  const issued = await admin.issue('alice', IP, { auth_slug: 'web', scopes: ['a'], user_agent: 'test' })
  const { token, ...object } = issued
  assert.match(token, /^dw_/)
  assert.deepEqual(await admin.show(issued.id), object)
  assert(timeToExpiration(object) > 3000)
  const changed = await admin.change(issued.id, { scopes: ['b'], allowed_header: false, auth_slug: null })
  assert.deepEqual([changed.scopes, changed.allowed_header, changed.auth_slug], [['b'], false, null])
  const rotated = await admin.rotate(issued.id, { set_cookie: true })
  assert.notEqual(rotated.token, token)
  assert(rotated.set_cookie?.startsWith(`doorward=${rotated.token};`))
  await admin.revoke(issued.id)
  await admin.revoke(issued.id)
  assert.equal((await admin.show(issued.id)).is_active, false)
})

test('all of a user’s tokens but one are revoked', async (t) => {
  const admin = (await Server.start(t)).admin()
  const [kept] = [await admin.issue('alice', IP), await admin.issue('alice', IP), await admin.issue('alice', IP)]
  const first = await admin.tokens('alice', { limit: 2 })
  const second = await admin.tokens('alice', { limit: 2, cursor: first.next_cursor })
  assert.deepEqual([first.items.length, second.items.length, second.next_cursor], [2, 1, null])
  assert.equal(await admin.revokeAll('alice', { except: kept.id }), 2)
  assert.deepEqual(
    (await admin.tokens('alice')).items.map(({ id }) => id),
    [kept.id],
  )
  assert.equal((await admin.tokens('alice', { includeRevoked: true })).items.length, 3)
  assert.equal(await admin.revokeAll('alice'), 1)
  await admin.eraseUser('alice')
})

test('takeovers start and end', async (t) => {
  const admin = (await Server.start(t)).admin()
  const { id } = await admin.issue('alice', IP)
  const takeover = await admin.startTakeover(id, 'bob', { reason: 'ticket 4711', seconds: 60 })
  assert.deepEqual([takeover.actor, takeover.user, takeover.reason], ['alice', 'bob', 'ticket 4711'])
  assert(timeToExpiration(await admin.show(id)) <= 60)
  await admin.endTakeover(id)
  await assert.rejects(admin.endTakeover(id), NotFound)
  for (const page of [await admin.tokenTakeovers(id), await admin.userTakeovers('bob')]) {
    assert.deepEqual(
      page.items.map((each) => [each.id, each.is_active]),
      [[takeover.id, false]],
    )
  }
})

test('a device key logs its user in', async (t) => {
  const admin = (await Server.start(t)).admin()
  const made = await admin.createDevice('alice', '7', { name: 'phone' })
  assert(made.created && made.login_token !== null)
  assert.equal((await admin.createDevice('alice', '7')).login_token, null)
  const token = await admin.deviceLogin('7', made.login_token, IP, { scopes: ['a'] })
  assert.deepEqual([token.user, token.device, token.scopes], ['alice', '7', ['a']])
  assert.deepEqual((await admin.devices('alice')).items, [await admin.device('alice', '7')])
  const rotated = await admin.rotateDevice('alice', '7')
  await assert.rejects(admin.deviceLogin('7', made.login_token, IP), LoginRefused)
  assert.equal((await admin.deviceLogin('7', rotated.login_token, IP)).user, 'alice')
  await admin.changeDevice('alice', '7', { is_active: false })
  assert.equal((await admin.show(token.id)).is_active, false)
  await assert.rejects(admin.deviceLogin('7', rotated.login_token, IP), LoginRefused)
  await admin.removeDevice('alice', '7')
  await assert.rejects(admin.removeDevice('alice', '7'), NotFound)
})

test('a locked user is refused until the unlock', async (t) => {
  const server = await Server.start(t)
  const [admin, { token, id }] = [server.admin(), await server.issue('alice')]
  await admin.lockUser('alice')
  assert.equal((await admin.show(id)).locked, true)
  assert.deepEqual(await admin.validate([token]), [null])
  await assert.rejects(admin.issue('alice', IP), { name: 'Conflict', kind: 'user-locked' })
  await admin.unlockUser('alice')
  assert.equal((await admin.validate([token]))[0]?.locked, false)
})

test('tokens are related to objects', async (t) => {
  const admin = (await Server.start(t)).admin()
  const cart = { content_type: 'shop.cart', object_id: 'a/b?c' }
  const order = { content_type: 'shop.order', object_id: '1' }
  const { id } = await admin.issue('alice', IP, { related_objects: [cart] })
  await admin.relate(id, order)
  await admin.unrelate(id, order)
  assert.deepEqual((await admin.relatedTokens(order)).items, [])
  assert.deepEqual(
    (await admin.relatedTokens(cart)).items.map((each) => each.id),
    [id],
  )
  assert.equal(await admin.revokeRelated(cart), 1)
})

test('token strings are judged in order', async (t) => {
  const server = await Server.start(t)
  const [alice, bob] = [await server.issue('alice'), await server.issue('bob')]
  const judged = await server.admin().validate([alice.token, 'a b', 'dw_forged', bob.token])
  assert.deepEqual(
    judged.map((token) => token?.user),
    ['alice', undefined, undefined, 'bob'],
  )
})

test('a refusal says what is wrong', async (t) => {
  const server = await Server.start(t)
  const admin = server.admin()
  const { id } = await admin.issue('alice', IP)
  await assert.rejects(admin.issue('alice', 'nowhere'), (error) => {
    assert(error instanceof InvalidFields && error instanceof Problem)
    assert.deepEqual(
      error.errors.map(({ pointer }) => pointer),
      ['#/ip'],
    )
    assert.match(error.message, /^422 .*#\/ip /)
    return true
  })
  await assert.rejects(admin.startTakeover(id, 'alice'), Conflict)
  await assert.rejects(admin.show('AAAAAAAAAAAAAAAA'), { name: 'NotFound', httpStatus: 404 })
  await assert.rejects(new Admin(server.adminUrl, 'wrong').show(id), (error) => {
    // Express and Fastify answer with an error's status: this one must not look like a logout.
    return error instanceof KeyRefused && !('status' in error) && !('statusCode' in error)
  })
})

test('no secret is printed', async (t) => {
  const server = await Server.start(t)
  const admin = server.admin()
  const token = await admin.issue('alice', IP, { set_cookie: true })
  const device = await admin.createDevice('alice', '7')
  const printed = inspect({ admin, token, device, validator: server.validator() }, { depth: 10 })
  assert.match(printed, /user: 'alice'/)
  for (const secret of [KEY, token.token, device.login_token!]) assert(!printed.includes(secret))
  assert.equal(JSON.parse(JSON.stringify(token)).token, token.token)
})
