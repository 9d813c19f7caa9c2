/** Addresses of the calls. A proxy may serve the admin plane below a path, so they are relative to the page. */

const PLANE = new URL('../', document.baseURI)

/**
 * Joins path segments; each is percent-encoded.
 * @param {...string} segments
 */
export function path(...segments) {
  return segments.map(encodeURIComponent).join('/')
}

/** @param {string} path a path of the admin plane without the slash at its begin */
export function address(path) {
  return new URL(path, PLANE).href
}

/** The host and port of the node that served this page. */
export const NODE = PLANE.host
