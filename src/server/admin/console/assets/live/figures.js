/** The figures of a node, or of several nodes together. */

/**
 * @typedef {object} Figures each null if unknown
 * @property {number | null} valid validations a second
 * @property {number | null} refused
 * @property {number | null} unavailable
 * @property {number | null} logins a second
 * @property {number | null} revocations
 * @property {number | null} hitRate percent
 * @property {number | null} median seconds
 * @property {number | null} slowest the 99th percentile, in seconds
 * @property {number | null} leaseAge seconds
 */

/**
 * Adds the rates up, and takes the worst of all other figures. What a silent node said last does not count.
 * @param {any[]} nodes
 * @returns {Figures}
 */
export function figures(nodes) {
  const heard = nodes.filter(({ silent }) => !silent)
  const of = (join, value) => join(heard.map(value).filter((value) => value !== null && value !== undefined))
  return {
    valid: of(sum, ({ validations_per_second: rates }) => rates?.valid),
    refused: of(sum, ({ validations_per_second: rates }) => rates && rates.forged + rates.refused + rates.pending),
    unavailable: of(sum, ({ validations_per_second: rates }) => rates?.unavailable),
    logins: of(sum, ({ tokens_per_second: rates }) => rates?.issued),
    revocations: of(sum, ({ tokens_per_second: rates }) => rates?.revoked),
    hitRate: of(least, ({ hit_rate: rate }) => (rate === null ? null : 100 * rate)),
    median: of(most, ({ validation_seconds: durations }) => durations?.median),
    slowest: of(most, ({ validation_seconds: durations }) => durations?.p99),
    leaseAge: of(most, ({ lease_age_seconds: age }) => age),
  }
}

/** The validations a second of all results. @param {Figures} figures */
export function validations({ valid, refused, unavailable }) {
  return valid === null ? null : valid + refused + unavailable
}

/** @param {number[]} values */
function sum(values) {
  return values.length > 0 ? values.reduce((sum, value) => sum + value, 0) : null
}

/** @param {number[]} values */
function least(values) {
  return values.length > 0 ? Math.min(...values) : null
}

/** @param {number[]} values */
function most(values) {
  return values.length > 0 ? Math.max(...values) : null
}
