/** The calls of a node that the tests make themselves. */

export class Api {
  /** @param {{admin: string, validation: string, key: string}} node the planes' addresses, and a key with all scopes */
  constructor({ admin, validation, key }) {
    Object.assign(this, { admin, validation, key })
  }

  /** Makes a call of the admin plane, which must succeed. @returns {Promise<any>} the JSON of the answer */
  async call(method, path, body) {
    const headers = { Authorization: `Bearer ${this.key}`, ...(body && { 'Content-Type': 'application/json' }) }
    const response = await fetch(`${this.admin}${path}`, { method, headers, body: body && JSON.stringify(body) })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return JSON.parse(text || 'null')
  }

  /** Issues a token. @returns {Promise<any>} */
  issue(user, fields = {}) {
    return this.call('POST', '/v1/tokens', { user, ip: '203.0.113.7', ...fields })
  }

  /** Validates a token string after an outage: again while the answer is 503. @returns {Promise<number>} the status */
  async authAfterOutage(token) {
    for (;;) {
      const status = await this.auth(token)
      if (status !== 503) return status
      await new Promise((resume) => setTimeout(resume, 10))
    }
  }

  /** Validates a token string. @returns {Promise<number>} the status */
  async auth(token) {
    return (await fetch(`${this.validation}/auth`, { headers: { Authorization: `Bearer ${token}` } })).status
  }
}
