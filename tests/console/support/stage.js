/** What every test file needs: Chromium, Redis and a node. */

import { execFileSync } from 'node:child_process'
import { after, before } from 'node:test'
import { startBrowser } from './browser.js'
import { BINARY, Node, Redis } from './programs.js'

/** A key that may see tokens and the metrics of the node, and nothing else. */
export const LIMITED_KEY = 'a-key-with-the-scopes-tokens-and-metrics-01'

/**
 * Starts the programs before the tests of a file, and ends them after.
 * @returns {{browser: import('playwright-core').Browser, redis: Redis, node: Node, startNode: (settings?: Record<string, string>) => Promise<Node>}}
 */
export function stage() {
  const stage = { nodes: [] }
  stage.startNode = async (settings = {}) => {
    const hash = execFileSync(BINARY, ['hash-key'], { input: LIMITED_KEY, encoding: 'utf8' }).trim()
    const keys = `limited:tokens+metrics:${hash}`
    const node = await Node.start({ DOORWARD_REDIS_URL: stage.redis.url, DOORWARD_API_KEYS: keys, ...settings })
    stage.nodes.push(node)
    return node
  }
  before(async () => {
    stage.browser = await startBrowser()
    stage.redis = await new Redis().start()
    stage.node = await stage.startNode()
  })
  after(async () => {
    await stage.browser?.close()
    await Promise.all(stage.nodes.map((node) => node.stop()))
    await stage.redis?.remove()
  })
  return stage
}
