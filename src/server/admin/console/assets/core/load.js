/** What a view reads from the node. It stays on the screen if a later read fails, and is read again after an outage. */

import { call } from './api.js'
import { recoveries } from './outage.js'
import { useValue } from './observable.js'
import { useEffect, useState } from '../vendor/htm_preact.js'

/** Entries of the first page of a listing, and of each further one. */
const PAGE = 50
/** The most entries that the node puts into one page. */
export const LARGEST_PAGE = 1000

/**
 * Reads something when the component appears, and again after an outage.
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} read
 * @param {any[]} inputs reads again when one of them changes
 */
export function useLoaded(read, inputs = []) {
  const [state, setState] = useState({ data: null, error: null, isLoading: true })
  const recovery = useValue(recoveries)
  useEffect(() => {
    const controller = new AbortController()
    setState((before) => ({ ...before, isLoading: true }))
    const settle = (change) => {
      if (!controller.signal.aborted) setState((before) => ({ ...before, isLoading: false, ...change }))
    }
    read(controller.signal).then(
      (data) => settle({ data, error: null }),
      (error) => settle({ error }),
    )
    return () => controller.abort()
  }, [...inputs, recovery])
  return state
}

/**
 * Reads a listing page by page.
 * @param {string} path
 * @param {string} name the field with the entries
 * @param {string} query
 * @param {number} turn reads the shown entries again when it changes
 */
export function useListing(path, name, query, turn) {
  const [shown, setShown] = useState(PAGE)
  const listing = useLoaded((signal) => readEntries(path, name, query, shown, signal), [path, query, shown, turn])
  return {
    ...listing,
    entries: listing.data?.entries ?? [],
    hasMore: listing.data?.hasMore ?? false,
    showMore: () => setShown((now) => now + PAGE),
  }
}

/** Reads the first `wanted` entries. */
async function readEntries(path, name, query, wanted, signal) {
  const entries = []
  for await (const page of pages(path, name, query, Math.min(wanted, LARGEST_PAGE), signal)) {
    entries.push(...page.entries)
    if (entries.length >= wanted || !page.hasMore) {
      return { entries: entries.slice(0, wanted), hasMore: page.hasMore || entries.length > wanted }
    }
  }
  return { entries, hasMore: false }
}

/**
 * Reads the pages of a listing, by their cursors.
 * @param {string} path
 * @param {string} name
 * @param {string} query
 * @param {number} limit
 * @param {AbortSignal} [signal]
 */
export async function* pages(path, name, query = '', limit = LARGEST_PAGE, signal = undefined) {
  let cursor = ''
  do {
    const parameters = new URLSearchParams(query)
    parameters.set('limit', String(limit))
    if (cursor) parameters.set('cursor', cursor)
    const page = await call(`${path}?${parameters}`, { signal })
    cursor = page.next_cursor
    yield { entries: page[name], hasMore: Boolean(cursor) }
  } while (cursor)
}
