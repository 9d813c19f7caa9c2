/** Failed calls, in words for the person at the screen: what happened, and what to do. */

/** What a failed call says. */
export class CallError extends Error {
  /**
   * @param {string} message what happened, as one sentence
   * @param {string} advice what the person can do
   * @param {{status?: number, requestId?: string, isOutage?: boolean}} facts `status` is 0 without an answer
   */
  constructor(message, advice, { status = 0, requestId = '', isOutage = false } = {}) {
    super(message)
    this.advice = advice
    this.status = status
    this.requestId = requestId
    this.isOutage = isOutage
  }
}

const UNKNOWN_OUTCOME =
  'Whether the change was made is unknown. Look at the present state first. Repeating a revocation is safe.'
const WAITING = 'The page shows what was known before and continues by itself.'

/** The call got no answer. @param {boolean} isChange whether the call changes something */
export function unreachable(isChange) {
  const advice = isChange ? UNKNOWN_OUTCOME : WAITING
  return new CallError('The node does not answer.', advice, { isOutage: true })
}

/** The node is not ready. @param {number} status */
export function notReady(status) {
  const message = 'The node is not ready: it is stopping, or its store is not available.'
  return new CallError(message, WAITING, { status, isOutage: true })
}

/**
 * The call was refused.
 * @param {number} status
 * @param {any} problem the body (RFC 9457), or null
 * @param {boolean} isChange
 * @param {string | null} retryAfter
 */
export function refused(status, problem, isChange, retryAfter) {
  const detail = [problem?.detail, ...(problem?.errors ?? []).map(fieldError)].filter(Boolean).join('; ')
  const facts = { status, requestId: problem?.request_id ?? '', isOutage: status === 503 }
  return new CallError(message(status, detail), advice(status, isChange, retryAfter), facts)
}

/** @param {{pointer: string, detail: string}} error */
function fieldError({ pointer, detail }) {
  const name = decodeURIComponent(pointer.replace(/^#\/?/, ''))
  return name ? `${name}: ${detail}` : detail
}

/** @param {number} status @param {string} detail */
function message(status, detail) {
  const said = detail ? sentence(detail) : `The node answers ${status}.`
  if (status === 404) return 'There is no such record.'
  if (status === 503) return `The store is not available. ${said}`
  return said
}

/** @param {number} status @param {boolean} isChange @param {string | null} retryAfter */
function advice(status, isChange, retryAfter) {
  const unchanged = isChange ? ' Nothing was changed.' : ''
  switch (status) {
    case 401:
      return 'Sign in with another API key.'
    case 403:
      return `Sign in with an API key that has the scope.${unchanged}`
    case 404:
      return `It may have expired or been removed meanwhile.${unchanged}`
    case 429:
      return `Try again in ${retryAfter ?? 'a few'} seconds, or close another console.`
    case 503:
      return isChange ? UNKNOWN_OUTCOME : WAITING
    default:
      return status < 500 ? `Correct the input.${unchanged}` : 'The log of the node has the cause.'
  }
}

/** @param {string} text */
function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
}
