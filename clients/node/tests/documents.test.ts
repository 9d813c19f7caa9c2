/** The examples of README.md and docs/applications.md are run, and compiled as strict TypeScript. */

import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { KEY, PACKAGE, Server } from './servers.js'

const run = promisify(execFile)

/** Returns the JavaScript examples of a document. */
async function examples(document: string): Promise<string[]> {
  const text = await readFile(join(PACKAGE, document), 'utf8')
  return [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code!)
}

/** Makes a folder within the package, where the name `doorward` is the package itself. */
async function makeFolder(t: TestContext, name: string): Promise<string> {
  const folder = join(PACKAGE, 'build', name)
  await mkdir(folder, { recursive: true })
  t.after(() => rm(folder, { recursive: true }))
  return folder
}

test('the examples of the README work', async (t) => {
  const server = await Server.start(t)
  const folder = await makeFolder(t, 'run')
  let count = 0
  for (const example of await examples('README.md')) {
    const code = example.replace('http://127.0.0.1:8080', server.url).replace('http://127.0.0.1:8081', server.adminUrl)
    const file = join(folder, `${count++}.mjs`)
    if (code.includes('listen(')) {
      await assertSiteWorks(t, file, code)
    } else {
      await writeFile(file, code)
      const { stdout } = await run(process.execPath, [file], { env: { KEY } })
      const shown = [...code.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map(([, output]) => output)
      assert.deepEqual(stdout.trim().split('\n'), shown, code)
    }
  }
  assert.equal(count, 6)
})

async function assertSiteWorks(t: TestContext, file: string, code: string): Promise<void> {
  const printing = code
    .replace('app.listen(3000)', 'const server = app.listen(0, () => console.log(server.address().port))')
    .replace('await app.listen({ port: 3000 })', 'console.log(new URL(await app.listen({ port: 0 })).port)')
  await writeFile(file, printing)
  const site = spawn(process.execPath, [file], { env: { KEY }, stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => site.kill('SIGKILL'))
  const [port] = await once(createInterface(site.stdout), 'line')
  const ask = (path: string, method: string, cookie = '') =>
    fetch(`http://127.0.0.1:${port}${path}`, { method, headers: { cookie } })
  assert.equal((await ask('/account', 'GET')).status, 401)
  const login = await ask('/login', 'POST')
  assert.deepEqual([login.status, await login.text()], [200, 'welcome'])
  const [cookie] = login.headers.get('set-cookie')!.split(';')
  assert.equal(await (await ask('/account', 'GET', cookie)).text(), 'Hello alice')
  assert.equal(await (await ask('/logout', 'POST', cookie)).text(), 'token')
  assert.equal((await ask('/account', 'GET', cookie)).status, 401)
}

test('the examples are strict TypeScript', async (t) => {
  const folder = await makeFolder(t, 'strict')
  const files = await Promise.all(
    (await examples('README.md')).map(async (code, n) => {
      const file = join(folder, `${n}.mts`)
      await writeFile(file, code)
      return file
    }),
  )
  const options = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2022', '--types', 'node']
  const compiler = join(PACKAGE, 'node_modules/typescript/bin/tsc')
  // Errors are printed to the standard output.
  const failed = await run(process.execPath, [compiler, '--ignoreConfig', ...options, ...files]).catch((error) => error)
  assert.equal(failed.stdout, '')
})
