/** Connections: keep-alive, stale ones, deadlines, unix sockets, malformed answers. */

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { Admin, Unavailable, Validator } from 'doorward'
import { FakeServer, OK, Server, json, makeFolder } from './servers.js'

const run = promisify(execFile)
const ISSUED = json('201 Created', { id: 'abc', user: 'alice', token: 'dw_x' })
const TIMEOUT = { timeout: 30_000 }

test('one connection serves many requests', async (t) => {
  const fake = await FakeServer.start(t, () => OK)
  const validator = new Validator(fake.url, TIMEOUT)
  for (let n = 0; n < 5; n++) assert((await validator.check('dw_token')).allowed)
  assert.deepEqual([fake.connections, fake.requests.length], [1, 5])
})

test('an answer may end its connection', async (t) => {
  const fake = await FakeServer.start(t, () => OK.replace('content-length', 'connection: close\r\ncontent-length'))
  const validator = new Validator(fake.url, TIMEOUT)
  for (let n = 0; n < 2; n++) assert((await validator.check('dw_token')).allowed)
  assert.equal(fake.connections, 2)
})

test('a check survives a restart of the server', async (t) => {
  const fake = await FakeServer.start(t, () => OK)
  const validator = new Validator(fake.url, TIMEOUT)
  assert((await validator.check('dw_token')).allowed)
  await fake.closeConnections()
  assert((await validator.check('dw_token')).allowed)
  assert.equal(fake.connections, 2)
})

test('a check is repeated on a connection that closes under it', async (t) => {
  const fake = await FakeServer.start(t, (n) => (n === 0 ? OK : null))
  const validator = new Validator(fake.url, TIMEOUT)
  assert((await validator.check('dw_token')).allowed)
  assert((await validator.check('dw_token')).allowed)
  assert.deepEqual([fake.connections, fake.requests.length], [2, 3])
})

test('a change without a key is never repeated', async (t) => {
  const fake = await FakeServer.start(t, (n) => (n === 0 ? ISSUED : null))
  const admin = new Admin(fake.url, 'key', TIMEOUT)
  assert.equal((await admin.confirm('abc')).id, 'abc')
  await assert.rejects(admin.confirm('abc'), Unavailable)
  assert.equal(fake.requests.length, 2)
})

test('a revocation may be repeated', async (t) => {
  const fake = await FakeServer.start(t, (n) => (n === 0 ? 'HTTP/1.1 204 No Content\r\n\r\n' : null))
  const admin = new Admin(fake.url, 'key', TIMEOUT)
  await admin.revoke('abc')
  await admin.revoke('abc')
  assert.equal(fake.requests.length, 3)
})

test('a change does not use a connection that the server has closed', async (t) => {
  const fake = await FakeServer.start(t, () => ISSUED)
  const admin = new Admin(fake.url, 'key', TIMEOUT)
  await admin.confirm('abc')
  await fake.closeConnections()
  assert.equal((await admin.confirm('abc')).id, 'abc')
  assert.equal(fake.connections, 2)
})

test('a change does not use a connection that was idle for long', async (t) => {
  const fake = await FakeServer.start(t, () => ISSUED)
  const admin = new Admin(fake.url, 'key', TIMEOUT)
  await admin.confirm('abc')
  await admin.confirm('abc')
  assert.equal(fake.connections, 1)
  await fake.waitUntilClosed()
  await admin.confirm('abc')
  assert.equal(fake.connections, 2)
})

test('a new connection that breaks is not repeated', async (t) => {
  const fake = await FakeServer.start(t, () => null)
  await assert.rejects(new Validator(fake.url, TIMEOUT).check('dw_token'), Unavailable)
  assert.equal(fake.requests.length, 1)
})

test('a silent server is unavailable', async (t) => {
  const fake = await FakeServer.start(t, () => '')
  const unavailable = { name: 'Unavailable', message: /timed out/, retryAfter: 1, status: 503 }
  await assert.rejects(new Validator(fake.url, { timeout: 50 }).check('dw_token'), unavailable)
  await assert.rejects(new Admin(fake.url, 'key', { timeout: 50 }).show('abc'), unavailable)
})

test('the deadline holds for the whole answer', async (t) => {
  const fake = await FakeServer.start(t, () => 'HTTP/1.1 200 OK\r\nx-auth-user: alice\r\ncontent-length: 2\r\n\r\nx')
  await assert.rejects(new Validator(fake.url, { timeout: 50 }).check('dw_token'), /timed out/)
})

test('an answer that ends too early is unavailable', async (t) => {
  const short = 'HTTP/1.1 200 OK\r\nx-auth-user: alice\r\nx-auth-token-id: abc\r\ncontent-length: 2\r\n\r\nx'
  const closed = { name: 'Unavailable', message: /unreachable/ }
  const fake = await FakeServer.start(t, () => {
    setImmediate(() => fake.closeConnections())
    return short
  })
  await assert.rejects(new Validator(fake.url, TIMEOUT).check('dw_token'), closed)
})

test('an answer that is not doorward’s lets nobody pass', async (t) => {
  const empty = 'content-length: 0\r\n\r\n'
  const page = 'content-length: 6\r\n\r\n<html>'
  const answers = [
    `HTTP/1.1 200 OK\r\n${empty}`,
    `HTTP/1.1 200 OK\r\nx-auth-user: -\r\nx-auth-token-id: -\r\n${empty}`,
    `HTTP/1.1 204 No Content\r\n\r\n`,
    `HTTP/1.1 302 Found\r\nlocation: /\r\n${empty}`,
    `HTTP/1.1 404 Not Found\r\n${empty}`,
    `HTTP/1.1 500 Internal Server Error\r\n${empty}`,
    `HTTP/1.1 503 Service Unavailable\r\nretry-after: 7\r\n${empty}`,
    'SSH-2.0-OpenSSH\r\n\r\n',
  ]
  for (const answer of answers) {
    const fake = await FakeServer.start(t, () => answer)
    await assert.rejects(new Validator(fake.url, TIMEOUT).check('dw_token'), Unavailable, answer)
  }
  for (const answer of [`HTTP/1.1 200 OK\r\n${page}`, `HTTP/1.1 302 Found\r\n${page}`, json('200 OK', {})]) {
    const fake = await FakeServer.start(t, () => answer)
    const admin = new Admin(fake.url, 'key', TIMEOUT)
    await assert.rejects(admin.tokens('alice'), Unavailable, answer)
    await assert.rejects(admin.validate(['dw_x']), Unavailable, answer)
  }
})

test('the time to wait is told by the server', async (t) => {
  const answer = 'HTTP/1.1 503 Service Unavailable\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n'
  const fake = await FakeServer.start(t, () => answer)
  const unavailable = { retryAfter: 7, headers: { 'Retry-After': '7', 'Cache-Control': 'no-store' } }
  await assert.rejects(new Validator(fake.url, TIMEOUT).check('dw_token'), unavailable)
})

test('both planes can be asked over unix sockets', async (t) => {
  const server = await Server.onUnixSockets(t)
  assert(server.url.startsWith('unix:/'))
  const token = await server.issue()
  const verdict = await server.validator().check(token.token)
  assert.equal(verdict.identity?.tokenId, token.id)
})

test('TLS proves the server', async (t) => {
  const folder = await makeFolder(t)
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const ofKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key]
  const ofName = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
  await run('openssl', ['req', '-x509', ...ofKey, '-out', cert, ...ofName])
  const server = await Server.start(t, { tls_cert: cert, tls_key: key })
  const trusting = new Validator(server.url, { ...TIMEOUT, tls: { ca: await readFile(cert) } })
  assert.equal((await trusting.check('dw_x')).status, 401)
  // The certificate names the server, not the host of the client's request.
  assert.equal((await trusting.check({ rawHeaders: [], host: 'shop.example' })).status, 401)
  await assert.rejects(new Validator(server.url, TIMEOUT).check('dw_x'), {
    name: 'Unavailable',
    message: /self-signed/,
  })
  trusting.close()
})

test('a header with a line break is refused, and costs no connection', async (t) => {
  const fake = await FakeServer.start(t, () => OK)
  const validator = new Validator(fake.url, TIMEOUT)
  const injected = { rawHeaders: ['Authorization', 'Bearer dw_x\r\nX-Forwarded-For: 6.6.6.6'] }
  await assert.rejects(validator.check(injected), TypeError)
  assert.equal(fake.connections, 0)
})

test('an address that is not one is refused at once', () => {
  for (const url of ['127.0.0.1:8080', 'ftp://x', 'http://x/path', 'http://x/?a=b', '']) {
    assert.throws(() => new Validator(url), { name: 'TypeError', message: /must be http:/ }, url)
  }
})

test('nothing listens: unavailable', async () => {
  await assert.rejects(new Validator('http://127.0.0.1:1').check('dw_token'), { name: 'Unavailable' })
  await assert.rejects(new Validator('unix:/nowhere/auth.sock').check('dw_token'), { name: 'Unavailable' })
})
