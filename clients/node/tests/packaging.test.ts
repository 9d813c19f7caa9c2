/** The package can be published. */

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { PACKAGE } from './servers.js'

const run = promisify(execFile)

async function metadata() {
  return JSON.parse(await readFile(join(PACKAGE, 'package.json'), 'utf8'))
}

test('the package holds the compiled modules, their types and its documents', async () => {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: PACKAGE })
  const [packed] = JSON.parse(stdout)
  const modules = (await readdir(join(PACKAGE, 'src'))).filter((name) => name !== 'tsconfig.json')
  const compiled = modules.flatMap((name) => ['js', 'd.ts'].map((end) => `dist/${name.replace(/ts$/, end)}`))
  const documents = ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'package.json']
  const paths: string[] = packed.files.map(({ path }: { path: string }) => path)
  assert.deepEqual(paths.sort(), [...documents, ...compiled].sort())
})

test('every export exists', async () => {
  const { exports } = await metadata()
  for (const [name, target] of Object.entries<string | Record<string, string>>(exports)) {
    const files = typeof target === 'string' ? [target] : Object.values(target)
    for (const file of files) assert(existsSync(join(PACKAGE, file)), name)
  }
})

test('a CommonJS module can require every entry', async () => {
  const module = run('node', ['--no-warnings', join(PACKAGE, 'build/commonjs.cjs')], { cwd: PACKAGE })
  const { require_module: canRequire } = process.features as { require_module?: boolean }
  if (canRequire) assert.equal((await module).stdout, 'Unavailable function function\n')
  // Before Node 20.19, as the README says.
  else await assert.rejects(module, /ERR_REQUIRE_ESM/)
})

test('the client alone needs no other package', async () => {
  const { dependencies, peerDependenciesMeta, peerDependencies } = await metadata()
  assert.equal(dependencies, undefined)
  for (const name of Object.keys(peerDependencies)) assert(peerDependenciesMeta[name].optional, name)
  for (const name of await readdir(join(PACKAGE, 'dist'))) {
    if (!name.endsWith('.js')) continue
    const code = await readFile(join(PACKAGE, 'dist', name), 'utf8')
    for (const [, imported] of code.matchAll(/from '(.*)'/g)) assert.match(imported!, /^(node:|\.\/)/, name)
  }
})

test('the version is that of the server', async () => {
  const { version } = await metadata()
  const cargo = await readFile(join(PACKAGE, '../../Cargo.toml'), 'utf8')
  assert.match(cargo, new RegExp(`^version = "${version.replaceAll('.', '\\.')}"$`, 'm'))
})
