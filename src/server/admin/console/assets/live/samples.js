/** Samples of the node's counters for the charts. They are taken while the overview is on the screen. */

import { call, callText } from '../core/api.js'
import { Observable } from '../core/observable.js'
import { session } from '../core/session.js'
import { quantileBetween, validationBuckets } from './histogram.js'

/** Milliseconds between two samples. */
const INTERVAL = 2000
/** The most samples that are kept: ten minutes. */
const MAX_SAMPLES = 300

/**
 * @typedef {object} Sample
 * @property {number} at seconds since the Unix epoch
 * @property {number | null} valid validations a second
 * @property {number | null} refused
 * @property {number | null} unavailable
 * @property {number | null} logins
 * @property {number | null} revocations
 * @property {number | null} hitRate percent
 * @property {number | null} median seconds
 * @property {number | null} slowest the 99th percentile, in seconds
 * @property {number | null} leaseAge seconds
 * @property {number | null} liveTokens of all nodes
 */

/** @typedef {{stats: any, status: any, buckets: Map<number, number>, at: number}} Reading */

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
    const [stats, status, metrics] = await Promise.all([
      call('v1/stats', options),
      call('v1/status', options),
      callText('metrics', options),
    ])
    if (stop.aborted) return
    const reading = { stats, status, buckets: validationBuckets(metrics), at: Date.now() / 1000 }
    const { last, list } = samples.get()
    samples.set({ last: reading, list: [...list, sample(last, reading)].slice(-MAX_SAMPLES), error: null })
  } catch (error) {
    if (!stop.aborted) samples.set({ ...samples.get(), error })
  }
}

/**
 * Compares two readings. Without an earlier one of the same run of the node, rates are unknown.
 * @param {Reading | null} before
 * @param {Reading} now
 * @returns {Sample}
 */
function sample(before, now) {
  const ages = now.stats.masters.map((master) => master.lease_age_seconds).filter((age) => age !== null)
  const leaseAge = ages.length > 0 ? Math.max(...ages) : null
  const liveTokens = now.stats.live_tokens?.estimate ?? null
  const unknown = { valid: null, refused: null, unavailable: null, logins: null, revocations: null, hitRate: null }
  const isSameRun = before && now.stats.uptime_seconds >= before.stats.uptime_seconds
  if (!isSameRun || now.at - before.at > (3 * INTERVAL) / 1000) {
    return { at: now.at, ...unknown, median: null, slowest: null, leaseAge, liveTokens }
  }
  const rate = (count) => (count(now.stats) - count(before.stats)) / (now.at - before.at)
  return {
    at: now.at,
    valid: rate(({ validations }) => validations.valid),
    refused: rate(({ validations }) => validations.forged + validations.refused + validations.pending),
    unavailable: rate(({ validations }) => validations.unavailable),
    logins: rate(({ tokens }) => tokens.issued),
    revocations: rate(({ tokens }) => Object.values(tokens.revoked).reduce((sum, count) => sum + count, 0)),
    hitRate: hitRate(before.stats.cache, now.stats.cache),
    median: quantileBetween(before.buckets, now.buckets, 0.5),
    slowest: quantileBetween(before.buckets, now.buckets, 0.99),
    leaseAge,
    liveTokens,
  }
}

/** The share of look-ups that the near cache answered, in percent. */
function hitRate(before, now) {
  if (!before || !now) return null
  const hits = now.hits - before.hits
  const all = hits + now.misses - before.misses
  return all > 0 ? (100 * hits) / all : null
}
