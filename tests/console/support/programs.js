/** Redis and Doorward as child processes, each with a folder and addresses of its own. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** The program under test. */
export const BINARY = process.env.DOORWARD_BINARY ?? '../../target/debug/doorward'

/** An API key with all scopes. */
export const KEY = 'the-key-of-the-console-tests-0123456789'

/** A Redis that keeps its data when it is stopped and started again. */
export class Redis {
  #folder = mkdtempSync(join(tmpdir(), 'doorward-console-'))
  #process

  /** `redis+unix://…` for a node. */
  get url() {
    return `redis+unix://${this.#socket}`
  }

  get #socket() {
    return join(this.#folder, 'redis.sock')
  }

  async start() {
    const settings = { port: 0, unixsocket: this.#socket, dir: this.#folder, appendonly: 'yes', appendfsync: 'always' }
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
    this.#process = launch('redis-server', args)
    await line(this.#process, this.#process.stdout, /ready to accept connections/i)
    return this
  }

  async stop() {
    await end(this.#process)
  }

  async remove() {
    await this.stop()
    rmSync(this.#folder, { recursive: true })
  }
}

/** A Doorward node. */
export class Node {
  #process

  /** @param {Record<string, string>} settings `DOORWARD_…` variables */
  static async start(settings) {
    const node = new Node()
    const env = {
      PATH: process.env.PATH,
      DOORWARD_LISTEN: '127.0.0.1:0',
      DOORWARD_ADMIN_LISTEN: '127.0.0.1:0',
      DOORWARD_ADMIN_KEY: KEY,
      // A busy machine is no outage.
      DOORWARD_REDIS_TIMEOUT: '10s',
      ...settings,
    }
    node.#process = launch(BINARY, [], env)
    const ready = await line(node.#process, node.#process.stdout, /^ready /)
    node.admin = `http://${/ admin-listen=(\S+)/.exec(ready)[1]}`
    node.validation = `http://${/ listen=(\S+)/.exec(ready)[1]}`
    return node
  }

  async stop() {
    await end(this.#process)
  }

  /** Makes the node read its settings again. */
  reload() {
    this.#process.kill('SIGHUP')
  }

  /** Makes a call of the admin plane, which must succeed. @returns {Promise<any>} the JSON of the answer */
  async call(method, path, body) {
    const headers = { Authorization: `Bearer ${KEY}`, ...(body && { 'Content-Type': 'application/json' }) }
    const response = await fetch(`${this.admin}${path}`, { method, headers, body: body && JSON.stringify(body) })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return JSON.parse(text || 'null')
  }

  /** Issues a token. @returns {Promise<any>} */
  issue(user, fields = {}) {
    return this.call('POST', '/v1/tokens', { user, ip: '203.0.113.7', ...fields })
  }

  /** Validates a token string after an outage: again while the answer is 503. @returns {Promise<number>} the status */
  async authAfterOutage(token) {
    for (;;) {
      const status = await this.auth(token)
      if (status !== 503) return status
      await new Promise((resume) => setTimeout(resume, 10))
    }
  }

  /** Validates a token string. @returns {Promise<number>} the status */
  async auth(token) {
    return (await fetch(`${this.validation}/auth`, { headers: { Authorization: `Bearer ${token}` } })).status
  }
}

function launch(program, args, env = process.env) {
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  child.log = ''
  for (const output of [child.stdout, child.stderr]) output.on('data', (bytes) => (child.log += bytes))
  process.once('exit', () => child.kill('SIGKILL'))
  return child
}

/** Waits for a line of the output. */
async function line(child, output, pattern) {
  const ended = once(child, 'exit').then(([status]) => {
    throw new Error(`${child.spawnfile}: exit status ${status}: ${child.log}`)
  })
  const found = new Promise((resolve) => {
    createInterface({ input: output }).on('line', (text) => pattern.test(text) && resolve(text))
  })
  ended.catch(() => {})
  return Promise.race([found, ended])
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}
