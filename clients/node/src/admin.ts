/** The admin plane: the lifecycle of tokens. */

import { randomUUID } from 'node:crypto'
import { inspect, type InspectOptionsStylized } from 'node:util'
import { Problem, Unavailable } from './errors.js'
import type {
  CreatedDevice,
  Device,
  DeviceChanges,
  IssuedToken,
  Page,
  RelatedObject,
  RotatedDevice,
  Takeover,
  Token,
  TokenChanges,
  TokenFields,
} from './models.js'
import { problem } from './problems.js'
import { isSendable, outage, parseJson } from './request.js'
import { Transport, type TransportOptions } from './transport.js'

/** Where a page of a listing begins, and how long it is: 50 unless told otherwise. */
export interface PageOptions {
  limit?: number
  /** `next_cursor` of the page before. */
  cursor?: string | null
}

/** A call of the admin plane. */
interface Call {
  body?: unknown
  /** Whether the call may be sent twice. Without it, only calls that add nothing may. */
  isRepeatable?: boolean
  /** Makes Doorward do the call once, however often it is sent. It is sent again if its answer may be lost. */
  idempotencyKey?: string
}

/**
 * Calls the admin plane.
 *
 * Each call throws `Unavailable` in an outage, and a `Problem` if Doorward refuses it. After a broken connection or a 503,
 * `issue`, `rotate` and `createDevice` are sent again, once, and are done once. Other calls that may not be repeated are
 * sent once. After `Unavailable`, it is unknown whether a call was done.
 */
export class Admin {
  readonly #transport: Transport
  readonly #apiKey: string

  /** `url`: `http://host:port`, `https://host:port` or `unix:/path`. `timeout`, of each call, is 5,000 ms. */
  constructor(url = 'http://127.0.0.1:8081', apiKey = '', { timeout = 5000, tls }: TransportOptions = {}) {
    this.#transport = new Transport(url, timeout, tls)
    this.#apiKey = apiKey
  }

  /** Issues a token. Its secret, `token`, is shown only now. */
  async issue(user: string, ip: string, fields: TokenFields = {}): Promise<IssuedToken> {
    const rotation = (tokenId: string) => this.#rotate(tokenId, fields.set_cookie ?? false)
    return this.#makeSecret('/v1/tokens', { ...fields, user, ip }, rotation)
  }

  /** Shows a token, a revoked one too until `revoked-retention` has passed. Throws `NotFound` for other ones. */
  show(tokenId: string): Promise<Token> {
    return this.#do('GET', path('tokens', tokenId))
  }

  /** Changes a token. */
  change(tokenId: string, changes: TokenChanges): Promise<Token> {
    return this.#do('PATCH', path('tokens', tokenId), { body: changes })
  }

  /** Lists a user's tokens. */
  tokens(
    user: string,
    { includeRevoked = false, ...page }: PageOptions & { includeRevoked?: boolean } = {},
  ): Promise<Page<Token>> {
    return this.#list('tokens', path('users', user, 'tokens'), page, includeRevoked ? { include: 'revoked' } : {})
  }

  /** Revokes a token, or does nothing if it is revoked. Throws `NotFound` for an expired or unknown one. */
  revoke(tokenId: string): Promise<void> {
    return this.#do('DELETE', path('tokens', tokenId))
  }

  /** Revokes all of a user's tokens but one; returns how many. Repeating it after `Unavailable` is safe. */
  async revokeAll(user: string, { except }: { except?: string | undefined } = {}): Promise<number> {
    const query = except === undefined ? '' : `?${new URLSearchParams({ except })}`
    return (await this.#do<{ revoked: number }>('DELETE', path('users', user, 'tokens') + query)).revoked
  }

  /** Gives a token a new secret under the same id. The old one works for another `rotation-grace`. */
  async rotate(tokenId: string, { set_cookie = false }: { set_cookie?: boolean } = {}): Promise<IssuedToken> {
    return this.#rotate(tokenId, set_cookie, (sameId) => this.#rotate(sameId, set_cookie))
  }

  /** Confirms the second factor of a token. */
  confirm(tokenId: string): Promise<Token> {
    return this.#do('POST', path('tokens', tokenId, 'confirm'), { isRepeatable: false })
  }

  /** Lets a token act as another user, at most for `seconds`. An earlier takeover of the token is ended first. */
  startTakeover(tokenId: string, user: string, options: { reason?: string; seconds?: number } = {}): Promise<Takeover> {
    const body = { user, reason: options.reason, seconds: options.seconds }
    return this.#do('POST', path('tokens', tokenId, 'takeover'), { body, isRepeatable: false })
  }

  /** Ends the takeover under way, or throws `NotFound`. */
  endTakeover(tokenId: string): Promise<void> {
    // A repeat would be a 404.
    return this.#do('DELETE', path('tokens', tokenId, 'takeover'), { isRepeatable: false })
  }

  /** Lists a token's takeovers. */
  tokenTakeovers(tokenId: string, page: PageOptions = {}): Promise<Page<Takeover>> {
    return this.#list('takeovers', path('tokens', tokenId, 'takeovers'), page)
  }

  /** Lists who took this user over, and when. */
  userTakeovers(user: string, page: PageOptions = {}): Promise<Page<Takeover>> {
    return this.#list('takeovers', path('users', user, 'takeovers'), page)
  }

  /** Gets or makes a device key. A new one has `created`, and its secret, `login_token`, is shown only now. */
  async createDevice(
    user: string,
    uuid: string,
    options: { name?: string; user_agent?: string } = {},
  ): Promise<CreatedDevice> {
    const body = { uuid, name: options.name, user_agent: options.user_agent }
    const rotation = async () => hideSecrets({ ...(await this.rotateDevice(user, uuid)), created: true })
    return this.#makeSecret<CreatedDevice>(path('users', user, 'devices'), body, rotation)
  }

  /** Lists a user's device keys. */
  devices(user: string, page: PageOptions = {}): Promise<Page<Device>> {
    return this.#list('devices', path('users', user, 'devices'), page)
  }

  device(user: string, uuid: string): Promise<Device> {
    return this.#do('GET', path('users', user, 'devices', uuid))
  }

  /** Changes a device key. To deactivate it revokes the tokens that it logged in. */
  changeDevice(user: string, uuid: string, changes: DeviceChanges): Promise<Device> {
    return this.#do('PATCH', path('users', user, 'devices', uuid), { body: changes })
  }

  /** Gives an active device key a new login token; the old one is refused at once. */
  async rotateDevice(user: string, uuid: string): Promise<RotatedDevice> {
    const where = path('users', user, 'devices', uuid, 'rotate')
    return hideSecrets(await this.#do<RotatedDevice>('POST', where, { isRepeatable: false }))
  }

  /** Removes a device key, and revokes the tokens that it logged in. */
  removeDevice(user: string, uuid: string): Promise<void> {
    // A repeat would be a 404.
    return this.#do('DELETE', path('users', user, 'devices', uuid), { isRepeatable: false })
  }

  /** Issues a token to a device key. Throws `LoginRefused` if no active key has this uuid and login token. */
  async deviceLogin(uuid: string, loginToken: string, ip: string, fields: TokenFields = {}): Promise<IssuedToken> {
    const body = { ...fields, uuid, login_token: loginToken, ip }
    return hideSecrets(await this.#do('POST', '/v1/devices/login', { body, isRepeatable: false }))
  }

  /** Relates a token to an object of the application. */
  relate(tokenId: string, { content_type, object_id }: RelatedObject): Promise<void> {
    return this.#do('POST', path('tokens', tokenId, 'related'), { body: { content_type, object_id } })
  }

  unrelate(tokenId: string, { content_type, object_id }: RelatedObject): Promise<void> {
    return this.#do('DELETE', path('tokens', tokenId, 'related', content_type, object_id))
  }

  /** Lists the tokens that are related to an object. */
  relatedTokens({ content_type, object_id }: RelatedObject, page: PageOptions = {}): Promise<Page<Token>> {
    return this.#list('tokens', path('related', content_type, object_id, 'tokens'), page)
  }

  /** Revokes every token of an object; returns how many. Repeating it after `Unavailable` is safe. */
  async revokeRelated({ content_type, object_id }: RelatedObject): Promise<number> {
    const where = path('related', content_type, object_id, 'tokens')
    return (await this.#do<{ revoked: number }>('DELETE', where)).revoked
  }

  /** Refuses all tokens and logins of a user until `unlockUser`. No token is lost. */
  lockUser(user: string): Promise<void> {
    return this.#do('PUT', path('users', user, 'lock'))
  }

  /** Accepts the tokens of a locked user again. */
  unlockUser(user: string): Promise<void> {
    return this.#do('DELETE', path('users', user, 'lock'))
  }

  /** Erases everything that is stored of a user. */
  eraseUser(user: string): Promise<void> {
    return this.#do('DELETE', path('users', user))
  }

  /** Judges up to 1,000 token strings in one call, in order; `null` for an invalid one. */
  async validate(tokenStrings: readonly string[]): Promise<(Token | null)[]> {
    // Strings that cannot be tokens are not sent, so that one of them cannot spoil the batch.
    const sent = tokenStrings.filter(isSendable)
    const { results } = await this.#do<{ results: (Token | { is_active: false })[] }>('POST', '/v1/validate', {
      body: { tokens: sent },
    })
    if (results?.length !== sent.length) throw new Unavailable("the answer is not doorward's: results are missing")
    const next = results.values()
    return tokenStrings.map((token) => {
      const result = isSendable(token) ? next.next().value : undefined
      return result?.is_active ? (result as Token) : null
    })
  }

  #rotate(tokenId: string, set_cookie: boolean, recover?: (tokenId: string) => Promise<IssuedToken>) {
    return this.#makeSecret(path('tokens', tokenId, 'rotate'), { set_cookie }, recover)
  }

  /**
   * Sends a call whose answer has a secret. If the answer is lost, and the secret with it, `recover` gets another one for
   * the token that the call made.
   */
  async #makeSecret<T extends object>(
    where: string,
    body: unknown,
    recover?: (tokenId: string) => Promise<T>,
  ): Promise<T> {
    try {
      return hideSecrets(await this.#do<T>('POST', where, { body, idempotencyKey: randomUUID() }))
    } catch (error) {
      const isReplay = error instanceof Problem && error.kind === 'idempotency-replay'
      if (isReplay && recover !== undefined) return recover(error.tokenId ?? '')
      throw error
    }
  }

  async #do<T>(method: string, where: string, { body, isRepeatable = true, idempotencyKey }: Call = {}): Promise<T> {
    const headers: [string, string][] = [['Authorization', `Bearer ${this.#apiKey}`]]
    if (body !== undefined) headers.push(['Content-Type', 'application/json'])
    const isRetried = idempotencyKey !== undefined
    if (isRetried) headers.push(['Idempotency-Key', idempotencyKey])
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    const response = await this.#transport.send({ method, path: where, headers, isRepeatable, isRetried, ...sent })
    if (response.status === 204) return undefined as T
    if (response.status >= 200 && response.status < 300) return parseJson(response)
    throw response.status >= 400 && response.status < 500 ? problem(response) : outage(response)
  }

  async #list<T>(name: string, where: string, page: PageOptions, further: object = {}): Promise<Page<T>> {
    const query = new URLSearchParams({ limit: String(page.limit ?? 50), ...further })
    if (page.cursor != null) query.set('cursor', page.cursor)
    const data = await this.#do<Record<string, T[]> & { next_cursor: string | null }>('GET', `${where}?${query}`)
    const items = data[name]
    if (!Array.isArray(items)) throw new Unavailable(`the answer is not doorward's: ${name} are missing`)
    return { items, next_cursor: data.next_cursor ?? null }
  }

  /** Closes the connections. No request may be under way. */
  close(): void {
    this.#transport.close()
  }
}

function path(...segments: string[]): string {
  return `/v1/${segments.map(encodeURIComponent).join('/')}`
}

/** Keeps the secrets of an answer out of `console.log` and of assertion messages. They stay ordinary members. */
function hideSecrets<T extends object>(answer: T): T {
  const shown = (_depth: number, options: InspectOptionsStylized) => {
    const isSecret = (name: string, value: unknown) => SECRETS.has(name) && typeof value === 'string'
    const members = Object.entries(answer).map(([name, value]) => [name, isSecret(name, value) ? '[secret]' : value])
    return inspect(Object.fromEntries(members), options)
  }
  return Object.defineProperty(answer, inspect.custom, { value: shown, enumerable: false })
}

const SECRETS = new Set(['token', 'set_cookie', 'login_token'])
