/** The view that the address names: `#/users/alice`. A link to a view can be kept and shared; it holds no secret. */

import { path } from './address.js'
import { Observable } from './observable.js'

/** Names of the views, with the number of values that follow each in the address. */
const VIEWS = { overview: 0, lookup: 0, events: 0, users: 1, tokens: 1, related: 2 }

/** @typedef {{view: string, values: string[]}} Route */

/** The route now. @type {Observable<Route>} */
export const route = new Observable(parse(location.hash))

addEventListener('hashchange', () => route.set(parse(location.hash)))

/**
 * Returns the address of a view.
 * @param {string} view
 * @param {...string} values
 */
export function link(view, ...values) {
  return `#/${path(view, ...values)}`
}

/** Opens a view. @param {string} view @param {...string} values */
export function open(view, ...values) {
  location.hash = link(view, ...values)
}

/** @param {string} hash @returns {Route} */
function parse(hash) {
  if (hash === '' || hash === '#' || hash === '#/') return { view: 'overview', values: [] }
  try {
    const [view, ...values] = hash.replace(/^#\//, '').split('/').map(decodeURIComponent)
    const isKnown = VIEWS[view] === values.length && values.every((value) => value !== '')
    return isKnown ? { view, values } : { view: 'unknown', values: [] }
  } catch {
    return { view: 'unknown', values: [] }
  }
}
