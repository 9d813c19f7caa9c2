/** Quantiles from the histogram of durations in the text of `/metrics`. */

const LINE = /^doorward_validation_duration_seconds_bucket\{[^}]*le="([^"]+)"\} ([0-9.e+]+)$/gm

/**
 * Adds up the buckets of all results and sources.
 * @param {string} text the metrics
 * @returns {Map<number, number>} the count below each upper bound in seconds, in rising order
 */
export function validationBuckets(text) {
  const buckets = new Map()
  for (const [, bound, value] of text.matchAll(LINE)) {
    const seconds = bound === '+Inf' ? Infinity : Number(bound)
    buckets.set(seconds, (buckets.get(seconds) ?? 0) + Number(value))
  }
  return new Map([...buckets].sort(([a], [b]) => a - b))
}

/**
 * Estimates a quantile of the durations between two readings, as PromQL's `histogram_quantile` does.
 * @param {Map<number, number>} before
 * @param {Map<number, number>} now
 * @param {number} quantile between 0 and 1
 * @returns {number | null} seconds; null without any duration
 */
export function quantileBetween(before, now, quantile) {
  const rise = [...now].map(([bound, count]) => [bound, count - (before.get(bound) ?? 0)])
  const total = rise.at(-1)?.[1] ?? 0
  if (total <= 0) return null
  let [low, below] = [0, 0]
  for (const [bound, count] of rise) {
    if (count >= quantile * total) {
      return bound === Infinity ? low : low + ((bound - low) * (quantile * total - below)) / (count - below)
    }
    ;[low, below] = [bound, count]
  }
  return low
}
