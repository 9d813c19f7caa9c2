/** Changes: asked for, made, and reported. */

import { confirm } from '../components/confirm.js'
import { notify, notifyError } from '../components/notices.js'
import { pages } from '../core/load.js'

/**
 * Asks, makes a change and says what was done.
 * @template T
 * @param {object} change
 * @param {() => Promise<import("../components/confirm.js").Question | null>} change.ask the question; null makes the
 *   change without one
 * @param {() => Promise<T>} change.make
 * @param {(result: T) => string} change.done
 * @param {() => void} change.reload reads what is shown again; after a failure, too
 */
export async function act({ ask, make, done, reload }) {
  const heading = document.activeElement?.closest('section')?.querySelector('h2')
  try {
    const question = await ask()
    if (question && !(await confirm(question))) return
    notify(done(await make()))
    // The button may vanish with its row, and the focus with it.
    heading?.focus()
  } catch (error) {
    notifyError(error, error.done)
  }
  reload()
}

/**
 * Counts the live tokens of a listing.
 * @param {string} path
 * @param {(token: any) => boolean} counts
 */
export async function countTokens(path, counts = () => true) {
  let sum = 0
  for await (const { entries } of pages(path, 'tokens')) sum += entries.filter(counts).length
  return sum
}
