/** A limit of time. */

/**
 * Calls `passed` in `ms` milliseconds; the returned function calls it off.
 *
 * After something has blocked the event loop, Node runs timers before it reads sockets. The answers that arrived meanwhile
 * are read first, so that a busy application does not take itself for an outage.
 */
export function startDeadline(ms: number, passed: () => void): () => void {
  let late: NodeJS.Immediate | undefined
  const timer = setTimeout(() => {
    late = setImmediate(passed)
  }, ms)
  return () => {
    clearTimeout(timer)
    clearImmediate(late)
  }
}
