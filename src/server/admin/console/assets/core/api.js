/** Calls of the admin plane. The API key is kept in this module only: in no storage, address or document. */

import { address } from './address.js'
import { CallError, refused, unreachable } from './call_error.js'
import { noteOutage } from './outage.js'
import { Observable } from './observable.js'

/** Milliseconds after which a call that reads is given up. */
const PATIENCE = 10_000
/** The same of a call that changes something: it may revoke many tokens. */
const PATIENCE_WITH_CHANGES = 60_000

let apiKey = ''

/** The last refusal of the API key itself. @type {Observable<CallError | null>} */
export const keyRefusal = new Observable(null)

/** Sets the API key of all calls to come; "" forgets it. @param {string} text */
export function setKey(text) {
  apiKey = text
}

/**
 * @typedef {object} CallOptions
 * @property {string} [method]
 * @property {any} [body] sent as JSON
 * @property {AbortSignal} [signal]
 * @property {Record<string, string>} [headers]
 */

/**
 * Makes a call and returns its answer, whose body may not have arrived.
 * @param {string} path
 * @param {CallOptions} options
 * @throws {CallError}
 */
export async function send(path, { method = 'GET', body, signal, headers = {} } = {}) {
  const isChange = method !== 'GET'
  /** @type {RequestInit & {headers: Record<string, string>}} */
  const request = {
    method,
    headers: { Authorization: `Bearer ${apiKey}`, ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal,
    cache: 'no-store',
    credentials: 'omit',
    redirect: 'error',
  }
  if (body !== undefined) request.headers['Content-Type'] = 'application/json'
  let response
  try {
    response = await fetch(address(path), request)
  } catch (error) {
    throw failure(error, isChange, signal)
  }
  if (!response.ok) throw await refusal(response, isChange)
  return response
}

/**
 * Makes a call and returns the JSON of its answer, null without a body.
 * @param {string} path
 * @param {CallOptions} options
 * @throws {CallError}
 */
export async function call(path, options = {}) {
  return JSON.parse((await callText(path, options)) || 'null')
}

/**
 * Makes a call and returns the text of its answer.
 * @param {string} path
 * @param {CallOptions} options
 * @throws {CallError}
 */
export async function callText(path, options = {}) {
  const isChange = options.method !== undefined
  const patience = AbortSignal.timeout(isChange ? PATIENCE_WITH_CHANGES : PATIENCE)
  const signal = options.signal ? AbortSignal.any([options.signal, patience]) : patience
  const response = await send(path, { ...options, signal })
  try {
    return await response.text()
  } catch (error) {
    throw failure(error, isChange, options.signal)
  }
}

/** @param {any} error @param {boolean} isChange @param {AbortSignal} [signal] */
function failure(error, isChange, signal) {
  if (signal?.aborted && signal.reason?.name === 'AbortError') return error
  const outage = unreachable(isChange)
  noteOutage(outage)
  return outage
}

/** @param {Response} response @param {boolean} isChange */
async function refusal(response, isChange) {
  const problem = await response.json().catch(() => null)
  const error = refused(response.status, problem, isChange, response.headers.get('Retry-After'))
  if (error.status === 401) keyRefusal.set(error)
  if (error.isOutage) noteOutage(error)
  return error
}
