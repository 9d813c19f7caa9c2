/** Times and numbers as texts. */

/** @type {Intl.DateTimeFormatOptions} */
const TO_SECOND = { hour: '2-digit', minute: '2-digit', second: '2-digit' }
const TIME = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', ...TO_SECOND })
const TIME_WITH_YEAR = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  ...TO_SECOND,
})
const CLOCK = new Intl.DateTimeFormat('en-GB', TO_SECOND)
const NUMBER = new Intl.NumberFormat('en', { maximumFractionDigits: 1 })

/** Seconds in each unit, the largest first. @type {[number, string][]} */
const UNITS = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
]

/** A date and time of this browser's time zone, with the year if it is another one. @param {string | Date} at */
export function time(at) {
  const date = new Date(at)
  const format = date.getFullYear() === new Date().getFullYear() ? TIME : TIME_WITH_YEAR
  return format.format(date)
}

/** A time of the day. @param {string | number | Date} at */
export function clock(at) {
  return CLOCK.format(new Date(at))
}

/** @param {number} value */
export function number(value) {
  return NUMBER.format(value)
}

/** @param {number} rate */
export function perSecond(rate) {
  return `${NUMBER.format(rate)}/s`
}

/** @param {number} value in percent */
export function percent(value) {
  return `${NUMBER.format(value)} %`
}

/** A number of things: "1 token", "2 tokens". @param {number} count @param {string} noun */
export function count(count, noun) {
  return `${NUMBER.format(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** A duration in its two largest units. @param {number} seconds */
export function duration(seconds) {
  const index = UNITS.findIndex(([size]) => seconds >= size)
  if (index < 0) return '0 s'
  const [[size, unit], [smaller, smallerUnit] = [1, '']] = UNITS.slice(index)
  const rest = Math.floor((seconds % size) / smaller)
  return `${Math.floor(seconds / size)} ${unit}${smallerUnit && rest ? ` ${rest} ${smallerUnit}` : ''}`
}

/** How far a time is from now: "in 5 min", "3 h ago". @param {string | Date} at */
export function distance(at) {
  const seconds = (new Date(at).getTime() - Date.now()) / 1000
  const rounded = UNITS.find(([size]) => Math.abs(seconds) >= size)
  if (!rounded) return 'now'
  const text = `${Math.floor(Math.abs(seconds) / rounded[0])} ${rounded[1]}`
  return seconds > 0 ? `in ${text}` : `${text} ago`
}

/** A short duration with a fitting unit. @param {number} seconds */
export function latency(seconds) {
  if (seconds === 0) return '0'
  if (seconds < 0.001) return `${NUMBER.format(seconds * 1e6)} µs`
  if (seconds < 1) return `${NUMBER.format(seconds * 1000)} ms`
  return `${NUMBER.format(seconds)} s`
}

/** @param {number} bytes */
export function bytes(bytes) {
  const power = bytes < 1024 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), 4)
  return `${NUMBER.format(bytes / 1024 ** power)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`
}
