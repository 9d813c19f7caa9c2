/** Calls with an `Idempotency-Key`: sent again after a broken connection or a 503, and done once. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test, type TestContext } from 'node:test'
import { Admin, Unavailable } from 'doorward'
import { FakeServer, IP, KEY, Server, json } from './servers.js'

const ISSUED = json('201 Created', { id: 'abc', user: 'alice', token: 'dw_x' })
const TIMEOUT = { timeout: 30_000 }

const busy = (seconds: number) =>
  `HTTP/1.1 503 Service Unavailable\r\nretry-after: ${seconds}\r\ncontent-length: 0\r\n\r\n`

/** Passes requests on to a server. The answers to those that `lost` numbers are lost: their connections break. */
async function relay(t: TestContext, server: Server, ...lost: number[]): Promise<FakeServer> {
  const fake = await FakeServer.start(t, async (_, request) => {
    const number = fake.requests.length
    const answer = await exchange(server.adminUrl, request)
    return lost.includes(number) ? null : answer
  })
  return fake
}

async function exchange(url: string, request: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write(request.replace('\r\n', '\r\nConnection: close\r\n'), 'latin1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  await once(socket, 'close')
  return Buffer.concat(chunks).toString('latin1')
}

function keys(fake: FakeServer): (string | undefined)[] {
  return fake.requests.map((request) => /^idempotency-key: (.*)\r$/im.exec(request)?.[1])
}

test('a lost issue gives one token with a good secret', async (t) => {
  const server = await Server.start(t)
  const fake = await relay(t, server, 1)
  const admin = new Admin(fake.url, KEY, TIMEOUT)
  const issued = await admin.issue('alice', IP, { auth_slug: 'web', set_cookie: true })
  const [first, again, rotation] = keys(fake)
  assert(first !== undefined && first === again && rotation !== undefined && rotation !== first)
  assert.deepEqual(
    (await admin.tokens('alice')).items.map(({ id }) => id),
    [issued.id],
  )
  assert.equal(issued.auth_slug, 'web')
  assert(issued.set_cookie?.startsWith(`doorward=${issued.token};`))
  assert.equal((await server.validator().check(issued.token)).identity?.tokenId, issued.id)
})

test('a lost rotation gives a good secret', async (t) => {
  const server = await Server.start(t)
  const { id } = await server.issue('alice')
  const fake = await relay(t, server, 1)
  const rotated = await new Admin(fake.url, KEY, TIMEOUT).rotate(id)
  assert.deepEqual([fake.requests.length, rotated.id], [3, id])
  assert((await server.validator().check(rotated.token)).allowed)
})

test('a lost creation gives a device key that can log in', async (t) => {
  const fake = await relay(t, await Server.start(t), 1)
  const admin = new Admin(fake.url, KEY, TIMEOUT)
  const device = await admin.createDevice('alice', '7', { name: 'phone' })
  assert.deepEqual([device.created, device.name], [true, 'phone'])
  assert.equal((await admin.deviceLogin('7', device.login_token!, IP)).device, '7')
  assert.equal((await admin.createDevice('alice', '7')).created, false)
})

test('a recovery is not recovered without an end', async (t) => {
  // The issue, its repeat, the rotation, and its repeat.
  const fake = await relay(t, await Server.start(t), 1, 3)
  const replay = { name: 'Conflict', kind: 'idempotency-replay', tokenId: /^.{16}$/ }
  await assert.rejects(new Admin(fake.url, KEY, TIMEOUT).issue('alice', IP), replay)
  assert.equal(fake.requests.length, 4)
})

test('a 503 is tried again once', async (t) => {
  const recovering = await FakeServer.start(t, (n) => (n === 0 ? busy(0) : ISSUED))
  assert.equal((await new Admin(recovering.url, KEY, TIMEOUT).issue('alice', IP)).token, 'dw_x')
  const [first, again] = keys(recovering)
  assert(first !== undefined && first === again)
  const fake = await FakeServer.start(t, () => busy(0))
  await assert.rejects(new Admin(fake.url, KEY, TIMEOUT).issue('alice', IP), Unavailable)
  assert.equal(fake.requests.length, 2)
})

test('a wait beyond the deadline is not begun', async (t) => {
  const fake = await FakeServer.start(t, () => busy(3600))
  await assert.rejects(new Admin(fake.url, KEY, TIMEOUT).issue('alice', IP), { retryAfter: 3600 })
  assert.equal(fake.requests.length, 1)
})

test('a connection that always breaks is unavailable', async (t) => {
  const fake = await FakeServer.start(t, () => null)
  await assert.rejects(new Admin(fake.url, KEY, TIMEOUT).issue('alice', IP), { name: 'Unavailable' })
  assert.equal(fake.requests.length, 2)
})

test('each call has a key of its own', async (t) => {
  const fake = await FakeServer.start(t, () => ISSUED)
  const admin = new Admin(fake.url, KEY, TIMEOUT)
  await admin.issue('alice', IP)
  await admin.issue('alice', IP)
  await admin.show('abc')
  const [first, second, none] = keys(fake)
  assert(first !== second && none === undefined)
})
