/** The code of docs/applications.md behind a real nginx with the configuration of config/proxies, and Doorward. */

import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { request, type OutgoingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import express, { type RequestHandler } from 'express'
import { PACKAGE, Server, makeFolder } from './servers.js'

const CONFIG = join(PACKAGE, '../../config/proxies')
const SECRET = 'of the proxy'

/** Loads the example of the document. */
async function loadSnippet(t: TestContext): Promise<RequestHandler> {
  const text = await readFile(join(PACKAGE, '../../docs/applications.md'), 'utf8')
  const [, code] = /^## Express\n.*?^```js\n(.*?)^```$/ms.exec(text)!
  // Within the package, where the name `doorward` is the package itself.
  const folder = join(PACKAGE, 'build/applications')
  await mkdir(folder, { recursive: true })
  t.after(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'snippet.mjs'), code!)
  process.env['PROXY_SECRET'] = SECRET
  const snippet = await import(pathToFileURL(join(folder, 'snippet.mjs')).href)
  return snippet.doorwardHeaders
}

/** nginx, the application behind it, and Doorward. */
class Chain {
  constructor(
    readonly server: Server,
    readonly nginx: string,
    readonly app: string,
  ) {}

  static async start(t: TestContext): Promise<Chain> {
    const server = await Server.onUnixSockets(t, { trusted_proxies: 'unix' })
    const folder = await makeFolder(t)
    const chain = new Chain(server, join(folder, 'nginx.sock'), join(folder, 'app.sock'))
    await chain.#configure(folder)
    await chain.#startApplication(t, await loadSnippet(t))
    const directives = 'daemon off; master_process off; pid nginx.pid; error_log stderr error;'
    const command = ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr', '-g', directives]
    // On Debian, nginx is in /usr/sbin, which may not be on the PATH.
    const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` }
    const nginx = spawn('nginx', command, { env, stdio: ['ignore', 'ignore', 'inherit'] })
    t.after(() => nginx.kill('SIGKILL'))
    await waitUntilConnects(chain.nginx, nginx)
    return chain
  }

  async #configure(folder: string): Promise<void> {
    let config = await readFile(join(CONFIG, 'nginx.conf'), 'utf8')
    const upstreams = {
      '127.0.0.1:8080': this.server.url,
      '127.0.0.1:9000': `unix:${this.app}`,
      '8000': `unix:${this.nginx}`,
    }
    for (const [shown, real] of Object.entries(upstreams)) {
      assert(config.includes(` ${shown}`), shown)
      config = config.replaceAll(` ${shown}`, ` ${real}`)
    }
    await writeFile(join(folder, 'nginx.conf'), config.replace('http {', 'http {\n    access_log off;'))
    const first = 'proxy_set_header X-Auth-User '
    const site = await readFile(join(CONFIG, 'nginx-site.inc'), 'utf8')
    const withSecret = site.replaceAll(first, `proxy_set_header X-Proxy-Secret "${SECRET}";\n${first}`)
    await writeFile(join(folder, 'nginx-site.inc'), withSecret)
    for (const name of ['nginx-ask.inc', 'nginx-doorward-headers.inc']) {
      await writeFile(join(folder, name), await readFile(join(CONFIG, name)))
    }
  }

  async #startApplication(t: TestContext, snippet: RequestHandler): Promise<void> {
    const app = express()
    app.use(snippet)
    app.use((req, res) => void res.json({ user: req.identity?.user ?? null, actor: req.identity?.actor ?? null }))
    const listening = app.listen(this.app)
    await once(listening, 'listening')
    t.after(() => {
      listening.close()
      listening.closeAllConnections?.()
    })
  }

  /** Asks nginx, or the application itself. Returns the status, and the JSON of a 200. */
  async get(path: string, headers: OutgoingHttpHeaders, { pastProxy = false } = {}): Promise<unknown[]> {
    const socketPath = pastProxy ? this.app : this.nginx
    const sent = request({ socketPath, path, headers: { host: 'shop.example', ...headers }, agent: false }).end()
    const [response] = await once(sent, 'response')
    let body = ''
    for await (const chunk of response.setEncoding('utf8')) body += chunk
    return response.statusCode === 200 ? [200, JSON.parse(body)] : [response.statusCode]
  }
}

async function waitUntilConnects(path: string, process: ChildProcess): Promise<void> {
  for (;;) {
    assert.equal(process.exitCode, null, 'the server ended')
    const socket = connect(path)
    const isConnected = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isConnected) return
    await sleep(10)
  }
}

const FORGED = { 'X-Auth-User': 'bob', 'X-Auth-Token-Id': 'x', X_Auth_User: 'bob', X_Auth_Token_Id: 'x' }
const NOBODY = { user: null, actor: null }

test('the application sees the user that doorward names', async (t) => {
  const chain = await Chain.start(t)
  const { id, token } = await chain.server.issue('zoë %')
  const zoe = { user: 'zoë %', actor: 'zoë %' }
  const bearer = { authorization: `Bearer ${token}` }
  assert.deepEqual(await chain.get('/', bearer), [200, zoe])
  assert.deepEqual(await chain.get('/', { cookie: `doorward=${token}` }), [200, zoe])
  await chain.server.admin().startTakeover(id, 'bob')
  assert.deepEqual(await chain.get('/', bearer), [200, { ...zoe, user: 'bob' }])
  await chain.server.admin().revoke(id)
  assert.deepEqual(await chain.get('/', bearer), [401])
})

test('forged headers name nobody', async (t) => {
  const chain = await Chain.start(t)
  const { token } = await chain.server.issue('alice')
  const alice = { user: 'alice', actor: 'alice' }
  assert.deepEqual(await chain.get('/', { ...FORGED, authorization: `Bearer ${token}` }), [200, alice])
  assert.deepEqual(await chain.get('/', FORGED), [401])
  assert.deepEqual(await chain.get('/public/', FORGED), [200, NOBODY])
  const dropped = { ...FORGED, connection: 'X-Auth-User, X-Proxy-Secret' }
  assert.deepEqual(await chain.get('/public/', dropped), [200, NOBODY])
  const secrets = [{}, { 'X-Proxy-Secret': '' }, { 'X-Proxy-Secret': 'guessed' }, { X_Proxy_Secret: SECRET }]
  for (const secret of secrets) {
    assert.deepEqual(await chain.get('/', { ...FORGED, ...secret }, { pastProxy: true }), [403])
  }
  const underscores = { X_Auth_User: 'bob', X_Auth_Token_Id: 'x', 'X-Proxy-Secret': SECRET }
  assert.deepEqual(await chain.get('/', underscores, { pastProxy: true }), [200, NOBODY])
})

test('an outage is 503 behind the proxy', async (t) => {
  const chain = await Chain.start(t)
  const { token } = await chain.server.issue('alice')
  await chain.server.kill()
  assert.deepEqual(await chain.get('/', { authorization: `Bearer ${token}` }), [503])
})
