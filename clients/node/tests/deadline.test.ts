/** An application that blocks its event loop must not take itself for an outage. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Admin, Batcher, Validator } from 'doorward'
import { OK, json } from './servers.js'

/** Answers each request of a connection with `answer`, and counts in `answered` once the answer is on its way. */
const SERVER = `
  import { createServer } from 'node:net'
  import { parentPort, workerData } from 'node:worker_threads'
  const { answer, answered } = workerData
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', () => socket.write(answer, () => {
      Atomics.add(answered, 0, 1)
      Atomics.notify(answered, 0)
    }))
  })
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))
`
/** Long enough for the first answer on a loaded machine. */
const TIMEOUT = 3000

/** Starts a server in another thread; returns its address, and how many answers it has sent. */
async function startServer(t: TestContext, answer: string): Promise<{ url: string; answered: Int32Array }> {
  const answered = new Int32Array(new SharedArrayBuffer(4))
  const code = new URL(`data:text/javascript,${encodeURIComponent(SERVER)}`)
  const worker = new Worker(code, { workerData: { answer, answered } })
  t.after(() => worker.terminate())
  const [port] = await once(worker, 'message')
  return { url: `http://127.0.0.1:${port}`, answered }
}

/** Blocks this thread until the server has sent its second answer, and the deadline has passed. */
function block(answered: Int32Array): void {
  const start = performance.now()
  for (let seen = 0; seen < 2; seen = Atomics.load(answered, 0)) {
    assert.notEqual(Atomics.wait(answered, 0, seen, 60_000), 'timed-out')
  }
  const nothing = new Int32Array(new SharedArrayBuffer(4))
  Atomics.wait(nothing, 0, 0, Math.max(0, start + TIMEOUT + 50 - performance.now()))
}

test('an answer that arrived while the loop was blocked counts', async (t) => {
  const { url, answered } = await startServer(t, OK)
  const validator = new Validator(url, { timeout: TIMEOUT })
  t.after(() => validator.close())
  await validator.check('dw_x')
  await nextTurn()
  const pending = validator.check('dw_x')
  await nextTurn()
  block(answered)
  assert((await pending).allowed)
})

test('so does a batch', async (t) => {
  const { url, answered } = await startServer(t, json('200 OK', { results: [{ is_active: false }] }))
  const admin = new Admin(url, 'key', { timeout: TIMEOUT })
  t.after(() => admin.close())
  const batcher = new Batcher(admin, { maxDelay: 0, timeout: TIMEOUT })
  await batcher.check('dw_x')
  await nextTurn()
  const pending = batcher.check('dw_x')
  // A timer of 0 ms takes up to 1 ms.
  await new Promise((resolve) => setTimeout(resolve, 5))
  await nextTurn()
  block(answered)
  assert.equal((await pending).status, 401)
})
