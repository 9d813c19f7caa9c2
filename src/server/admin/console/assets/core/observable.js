/** Values that components follow. */

import { useEffect, useState } from '../vendor/htm_preact.js'

/**
 * A value that can be followed.
 * @template T
 */
export class Observable {
  #value
  #listeners = new Set()

  /** @param {T} value the first value */
  constructor(value) {
    this.#value = value
  }

  /** @returns {T} */
  get() {
    return this.#value
  }

  /** Replaces the value and tells every listener. @param {T} value */
  set(value) {
    this.#value = value
    for (const listener of [...this.#listeners]) listener(value)
  }

  /**
   * Calls `listener` with each new value.
   * @param {(value: T) => void} listener
   * @returns {() => void} ends this
   */
  follow(listener) {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

/**
 * Returns the value, and renders the component again when it changes.
 * @template T
 * @param {Observable<T>} observable
 * @returns {T}
 */
export function useValue(observable) {
  const [, render] = useState({})
  useEffect(() => observable.follow(() => render({})), [observable])
  return observable.get()
}
