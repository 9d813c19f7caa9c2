/** Redis and Doorward as child processes, each with a folder and addresses of its own. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Api } from './api.js'

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
export class Node extends Api {
  #process

  /** @param {Record<string, string>} settings `DOORWARD_…` variables */
  static async start(settings) {
    const env = {
      PATH: process.env.PATH,
      DOORWARD_LISTEN: '127.0.0.1:0',
      DOORWARD_ADMIN_LISTEN: '127.0.0.1:0',
      DOORWARD_ADMIN_KEY: KEY,
      // A busy machine is no outage.
      DOORWARD_REDIS_TIMEOUT: '10s',
      ...settings,
    }
    const child = launch(BINARY, [], env)
    const ready = await line(child, child.stdout, /^ready /)
    const admin = `http://${/ admin-listen=(\S+)/.exec(ready)[1]}`
    const validation = `http://${/ listen=(\S+)/.exec(ready)[1]}`
    const node = new Node({ admin, validation, key: KEY })
    node.#process = child
    return node
  }

  async stop() {
    await end(this.#process)
  }

  /** Lets the node stop in order. */
  async terminate() {
    const exited = once(this.#process, 'exit')
    this.#process.kill('SIGTERM')
    await exited
  }

  /** Makes the node read its settings again. */
  reload() {
    this.#process.kill('SIGHUP')
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
