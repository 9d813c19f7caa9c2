/** Server-sent events by `fetch`, because `EventSource` cannot send the API key (HTML standard, "Server-sent events"). */

/**
 * @typedef {object} StreamEvent
 * @property {string} type
 * @property {string} data
 * @property {string} id the last id of the stream, which resumes it
 */

/**
 * Reads the events of an answer until it ends. A block without data yields an event of the type "position".
 * @param {Response} response
 * @returns {AsyncGenerator<StreamEvent>}
 */
export async function* events(response) {
  let block = { type: '', data: [], id: '' }
  for await (const line of lines(response)) {
    if (line === '') {
      yield { type: block.type || 'position', data: block.data.join('\n'), id: block.id }
      block = { type: '', data: [], id: block.id }
      continue
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line) ?? []
    if (field === 'event') block.type = value
    if (field === 'data') block.data.push(value)
    if (field === 'id') block.id = value
  }
}

/** @param {Response} response @returns {AsyncGenerator<string>} */
async function* lines(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const parts = (rest + value).split('\n')
      rest = parts.pop()
      yield* parts
    }
  } finally {
    reader.cancel().catch(() => {})
  }
}
