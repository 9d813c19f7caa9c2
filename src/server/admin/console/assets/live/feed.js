/** The live feed: the events of all nodes, kept while the session lasts, so that a view can be left and opened again. */

import { CallError } from '../core/call_error.js'
import { send } from '../core/api.js'
import { Observable } from '../core/observable.js'
import { session } from '../core/session.js'
import { events } from './event_stream.js'

/** The most events that are kept, the newest. */
export const MAX_EVENTS = 500
/** Milliseconds before a lost connection is made again. */
const PAUSE = 1000
/** The node sends a comment after 15 s of silence. After this many milliseconds, the connection counts as lost. */
const SILENCE = 40_000

/**
 * @typedef {object} FeedState
 * @property {any[]} events newest first; `{type: "gap"}` where events may be missing
 * @property {"off" | "connecting" | "live" | "lost"} connection
 * @property {CallError | null} error
 */

/** @type {Observable<FeedState>} */
export const feed = new Observable(empty())

let position = ''
let number = 0

session.follow((now) => {
  if (!now) {
    position = ''
    feed.set(empty())
  }
})

/** @returns {FeedState} */
function empty() {
  return { events: [], connection: 'off', error: null }
}

/** Removes the events that are shown. */
export function clear() {
  feed.set({ ...feed.get(), events: [] })
}

/**
 * Follows the feed until the returned function is called. A lost connection is made again where it ended.
 * @returns {() => void}
 */
export function followFeed() {
  const stop = new AbortController()
  run(stop.signal)
  return () => stop.abort()
}

/** @param {AbortSignal} stop */
async function run(stop) {
  while (!stop.aborted) {
    note({ connection: feed.get().connection === 'off' ? 'connecting' : feed.get().connection })
    const error = await readOnce(stop)
    if (stop.aborted) break
    note({ connection: 'lost', error })
    if (error && !error.isOutage && error.status !== 429) return
    await new Promise((resume) => setTimeout(resume, PAUSE))
  }
  note({ connection: 'off' })
}

/** Follows one connection to its end. @param {AbortSignal} stop @returns {Promise<CallError | null>} */
async function readOnce(stop) {
  const lost = new AbortController()
  const signal = AbortSignal.any([stop, lost.signal])
  let watch
  const heard = () => {
    clearTimeout(watch)
    watch = setTimeout(() => lost.abort(), SILENCE)
  }
  try {
    const headers = position ? { 'Last-Event-ID': position } : {}
    const response = await send('v1/events', { signal, headers })
    note({ connection: 'live', error: null })
    heard()
    for await (const event of events(response)) {
      heard()
      add(event)
    }
    return null
  } catch (error) {
    return error instanceof CallError ? error : null
  } finally {
    clearTimeout(watch)
  }
}

/** @param {import("./event_stream.js").StreamEvent} event */
function add({ type, data, id }) {
  position = id || position
  if (type === 'position') return
  number += 1
  const entry = type === 'gap' ? { type, at: new Date().toISOString() } : JSON.parse(data)
  note({ events: [{ ...entry, number }, ...feed.get().events].slice(0, MAX_EVENTS) })
}

/** @param {Partial<FeedState>} change */
function note(change) {
  feed.set({ ...feed.get(), ...change })
}
