/** A live chart. uPlot draws it; its last values are also there as text. */

import { clock } from '../core/format.js'
import { html, useEffect, useRef } from '../vendor/htm_preact.js'
import uPlot from '../vendor/uplot.js'

const HEIGHT = 150
/** Seconds that the time axis shows at least, so that a new chart does not look full. */
const SPAN = 40
const DARK = matchMedia('(prefers-color-scheme: dark)')

/**
 * @typedef {object} Line
 * @property {string} name
 * @property {string} colour a custom property of style/base.css
 * @property {(sample: any) => number | null} value
 */

/**
 * @param {{title: string, lines: Line[], samples: any[], show: (value: number) => string, top?: number}} props `show` makes
 *   a text of a value; `top` is the least upper end of the axis
 */
export function Chart({ title, lines, samples, show, top = 1 }) {
  const box = useRef(null)
  const plot = useRef(null)
  const data = [samples.map(({ at }) => at), ...lines.map(({ value }) => samples.map(value))]
  useEffect(() => {
    const draw = () => {
      plot.current?.destroy()
      plot.current = new uPlot(options(lines, show, top, box.current), data, box.current)
    }
    draw()
    const resized = new ResizeObserver(() => plot.current.setSize({ width: box.current.clientWidth, height: HEIGHT }))
    resized.observe(box.current)
    DARK.addEventListener('change', draw)
    return () => {
      resized.disconnect()
      DARK.removeEventListener('change', draw)
      plot.current.destroy()
    }
  }, [])
  useEffect(() => plot.current.setData(data), [samples])
  return html`
    <figure class="chart">
      <figcaption>
        <h3>${title}</h3>
        <ul class="legend">${lines.map((line) => html`<${Legend} line=${line} sample=${samples.at(-1)} show=${show} />`)}</ul>
      </figcaption>
      <div class="plot" ref=${box} aria-hidden="true"></div>
    </figure>
  `
}

function Legend({ line, sample, show }) {
  const value = sample ? line.value(sample) : null
  return html`
    <li class=${`key-${line.colour}`}>
      <span class="faint">${line.name}</span> <strong>${value === null ? '–' : show(value)}</strong>
    </li>
  `
}

function options(lines, show, top, box) {
  const style = getComputedStyle(box)
  const colour = (name) => style.getPropertyValue(`--${name}`).trim()
  const axis = {
    stroke: colour('faint'),
    grid: { stroke: colour('line'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui',
  }
  return {
    width: box.clientWidth,
    height: HEIGHT,
    padding: [8, 32, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { range: (_, min, max) => [Math.min(min, max - SPAN), max] },
      y: { range: (_, min, max) => [0, Math.max(top, (max ?? 0) * 1.1)] },
    },
    axes: [
      { ...axis, size: 30, gap: 10, space: 80, values: (_, marks) => marks.map((mark) => clock(mark * 1000)) },
      { ...axis, size: 64, space: 36, values: (_, marks) => marks.map(show) },
    ],
    series: [{}, ...lines.map((line) => ({ stroke: colour(line.colour), width: 2, points: { show: false } }))],
  }
}
