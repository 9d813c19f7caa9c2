/** Samples of the nodes' figures for the charts. They are taken while the overview is on the screen. */

import { call } from '../core/api.js'
import { Observable } from '../core/observable.js'
import { session } from '../core/session.js'

/** Milliseconds between two samples. */
const INTERVAL = 2000
/** The most samples that are kept: ten minutes. */
const MAX_SAMPLES = 300

/**
 * @typedef {object} Sample
 * @property {number} at seconds since the Unix epoch
 * @property {any[]} nodes as the node listed them; none where samples are missing
 * @property {number | null} liveTokens of all nodes
 */

/** @typedef {{stats: any, status: any, nodes: any[], isComplete: boolean}} Reading */

/** The last reading, the samples, and why the last attempt failed. */
export const samples = new Observable(/** @type {{last: Reading | null, list: Sample[], error: any}} */ (empty()))

session.follow(() => samples.set(empty()))

function empty() {
  return { last: null, list: [], error: null }
}

/**
 * Takes samples until the returned function is called, and none while the page is hidden.
 * @returns {() => void}
 */
export function takeSamples() {
  const stop = new AbortController()
  run(stop.signal)
  return () => stop.abort()
}

/** @param {AbortSignal} stop */
async function run(stop) {
  while (!stop.aborted) {
    if (!document.hidden) await takeOne(stop)
    await new Promise((resume) => setTimeout(resume, INTERVAL))
  }
}

/** @param {AbortSignal} stop */
async function takeOne(stop) {
  try {
    const options = { signal: stop }
    const [stats, status, { nodes, complete }] = await Promise.all([
      call('v1/stats', options),
      call('v1/status', options),
      call('v1/nodes', options),
    ])
    if (stop.aborted) return
    const sample = { at: Date.now() / 1000, nodes, liveTokens: stats.live_tokens?.estimate ?? null }
    const list = [...withGap(samples.get().list, sample.at), sample].slice(-MAX_SAMPLES)
    samples.set({ last: { stats, status, nodes, isComplete: complete }, list, error: null })
  } catch (error) {
    if (!stop.aborted) samples.set({ ...samples.get(), error })
  }
}

/** Adds a sample without nodes where samples are missing, so that no chart joins what is far apart. */
function withGap(list, at) {
  const last = list.at(-1)
  if (!last || at - last.at <= (3 * INTERVAL) / 1000) return list
  return [...list, { at: last.at + INTERVAL / 1000, nodes: [], liveTokens: null }]
}
