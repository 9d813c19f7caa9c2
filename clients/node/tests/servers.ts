/** Servers for the tests: Doorward, and one that misbehaves. Each ends with its test. */

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Admin, Validator, type IssuedToken, type TokenFields } from 'doorward'

export const KEY = 'an-api-key-of-the-tests-with-all-scopes'
export const IP = '203.0.113.7'
export const PACKAGE = fileURLToPath(new URL('..', import.meta.url))
const BINARY = process.env['DOORWARD_BINARY'] ?? join(PACKAGE, '../../target/debug/doorward')
/** Long enough for a loaded machine. */
const TIMEOUT = 60_000
/** How long a server waits for Redis: a busy machine is no outage. */
const REDIS_TIMEOUT = '10s'

/** Doorward on the embedded store. */
export class Server {
  url = ''
  adminUrl = ''
  readonly #settings: Record<string, string>
  readonly #closing: (() => void)[] = []
  #process: ChildProcess | undefined

  private constructor(settings: Record<string, string>) {
    const listen = { listen: '127.0.0.1:0', admin_listen: '127.0.0.1:0' }
    this.#settings = { ...listen, redis_timeout: REDIS_TIMEOUT, ...settings }
  }

  static async start(t: TestContext, settings: Record<string, string> = {}): Promise<Server> {
    const server = new Server(settings)
    t.after(() => server.#close())
    await server.restart()
    return server
  }

  /** Starts a server that can be started again at the same addresses. */
  static async onUnixSockets(t: TestContext, settings: Record<string, string> = {}): Promise<Server> {
    const folder = await makeFolder(t)
    const listen = { listen: `unix:${folder}/auth.sock`, admin_listen: `unix:${folder}/admin.sock` }
    return Server.start(t, { ...listen, ...settings })
  }

  async restart(): Promise<void> {
    const variables = Object.entries(this.#settings).map(([name, value]) => [`DOORWARD_${name.toUpperCase()}`, value])
    const env = { ...Object.fromEntries(variables), DOORWARD_ADMIN_KEY: KEY }
    const started = spawn(BINARY, { env, stdio: ['ignore', 'pipe', 'ignore'] })
    this.#process = started
    for await (const line of createInterface(started.stdout)) {
      const words = /^ready listen=(\S+) admin-listen=(\S+)/.exec(line)
      if (words === null) continue
      this.url = this.#address(words[1]!)
      this.adminUrl = this.#address(words[2]!)
      started.stdout.resume()
      return
    }
    throw new Error('doorward did not start')
  }

  #address(text: string): string {
    if (text.startsWith('unix:')) return text
    return `${'tls_cert' in this.#settings ? 'https' : 'http'}://${text}`
  }

  async kill(): Promise<void> {
    const running = this.#process
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return
    running.kill('SIGKILL')
    await once(running, 'exit')
  }

  async #close(): Promise<void> {
    for (const close of this.#closing) close()
    await this.kill()
  }

  validator(options: { timeout?: number } = {}): Validator {
    const validator = new Validator(this.url, { timeout: TIMEOUT, ...options })
    this.#closing.push(() => validator.close())
    return validator
  }

  admin(): Admin {
    const admin = new Admin(this.adminUrl, KEY, { timeout: TIMEOUT })
    this.#closing.push(() => admin.close())
    return admin
  }

  issue(user = 'alice', fields: TokenFields = {}): Promise<IssuedToken> {
    return this.admin().issue(user, IP, fields)
  }
}

/** Makes a folder that lives as long as the test. */
export async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'doorward-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Answers n of a connection: bytes, '' for silence, or `null` to close the connection. */
export type Script = (n: number, request: string) => string | null | Promise<string | null>

/** A server that answers as a test says. */
export class FakeServer {
  url = ''
  connections = 0
  readonly requests: string[] = []
  readonly #open = new Set<Socket>()

  static async start(t: TestContext, script: Script): Promise<FakeServer> {
    const fake = new FakeServer()
    const listener = createServer((socket) => fake.#serve(socket, script))
    listener.listen(0, '127.0.0.1')
    await once(listener, 'listening')
    fake.url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`
    t.after(() => {
      listener.close()
      for (const socket of fake.#open) socket.destroy()
    })
    return fake
  }

  #serve(socket: Socket, script: Script): void {
    this.connections += 1
    this.#open.add(socket)
    let received = ''
    let n = 0
    socket.on('close', () => this.#open.delete(socket))
    socket.on('error', () => socket.destroy())
    socket.on('data', async (data) => {
      received += data.toString('latin1')
      const end = received.indexOf('\r\n\r\n')
      const length = Number(/^content-length: (\d+)$/im.exec(received)?.[1] ?? 0)
      if (end < 0 || received.length < end + 4 + length) return
      const request = received.slice(0, end + 4 + length)
      received = received.slice(request.length)
      this.requests.push(request)
      const answer = await script(n++, request)
      if (answer === null) socket.destroy()
      else socket.write(answer)
    })
  }

  /** Closes the connections, as a restart does, and waits until the client has closed them, too. */
  async closeConnections(): Promise<void> {
    const closed = this.waitUntilClosed()
    for (const socket of this.#open) socket.end()
    await closed
  }

  /** Waits until the client has closed all connections. */
  async waitUntilClosed(): Promise<void> {
    await Promise.all([...this.#open].map((socket) => once(socket, 'close')))
  }
}

/** A success of the validation plane. */
export const OK = 'HTTP/1.1 200 OK\r\nx-auth-user: alice\r\nx-auth-token-id: abc\r\ncontent-length: 0\r\n\r\n'

/** An answer with JSON. */
export function json(status: string, body: unknown): string {
  const text = JSON.stringify(body)
  return `HTTP/1.1 ${status}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
}

/** A Redis on a unix socket. */
export class Redis {
  static async start(t: TestContext): Promise<{ url: string }> {
    const folder = await makeFolder(t)
    const path = join(folder, 'redis.sock')
    const command = ['--port', '0', '--unixsocket', path, '--dir', folder, '--save', '']
    const redis = spawn('redis-server', command, { stdio: ['ignore', 'pipe', 'ignore'] })
    t.after(() => redis.kill('SIGKILL'))
    for await (const line of createInterface(redis.stdout)) {
      if (line.includes('ready to accept connections')) break
    }
    redis.stdout.resume()
    return { url: `redis+unix://${path}` }
  }
}
