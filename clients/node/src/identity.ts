/** Whose request it is, and whether it may pass. */

import type { Token } from './models.js'

type HeaderValues = Readonly<Record<string, string | string[] | undefined>>

/** The user of a request, as Doorward's identity headers name it. A value that does not exist is `null`. */
export class Identity {
  /** The user as whom the request acts: during a takeover, the user taken over. */
  readonly user: string
  /** The user who logged in. */
  readonly actor: string
  readonly tokenId: string
  readonly slug: string | null
  readonly backend: string | null
  readonly device: string | null
  /** Whole seconds until the token expires, or until the takeover ends if that comes first. */
  readonly expiresIn: number
  readonly scopes: readonly string[]
  readonly via: 'header' | 'cookie' | null

  constructor(values: Pick<Identity, 'user' | 'tokenId'> & Partial<Omit<Identity, 'isTakeover'>>) {
    this.user = values.user
    this.actor = values.actor ?? values.user
    this.tokenId = values.tokenId
    this.slug = values.slug ?? null
    this.backend = values.backend ?? null
    this.device = values.device ?? null
    this.expiresIn = values.expiresIn ?? 0
    this.scopes = values.scopes ?? []
    this.via = values.via ?? null
  }

  /** Whether the actor acts as another user. */
  get isTakeover(): boolean {
    return this.user !== this.actor
  }

  /**
   * Reads the identity headers of a request that a proxy checked, or of Doorward's answer: `request.headers`.
   *
   * Returns `null` for the anonymous user. Use it only where no client can send these headers itself.
   */
  static fromHeaders(headers: HeaderValues): Identity | null {
    const value = (name: string): string | null => {
      const text = headers[`x-auth-${name}`]
      return typeof text !== 'string' || text === '' || text === '-' ? null : decode(text)
    }
    const user = value('user')
    const tokenId = value('token-id')
    if (user === null || tokenId === null) return null
    const expiresIn = value('expires-in') ?? ''
    const via = value('via')
    return new Identity({
      user,
      tokenId,
      actor: value('actor') ?? user,
      slug: value('slug'),
      backend: value('backend'),
      device: value('device'),
      expiresIn: /^\d+$/.test(expiresIn) ? Number(expiresIn) : 0,
      scopes: value('scopes')?.split(' ').filter(Boolean) ?? [],
      via: via === 'header' || via === 'cookie' ? via : null,
    })
  }

  /** The identity of a request that carries a valid token. */
  static ofToken(token: Token, via: 'header' | 'cookie' | null = null): Identity {
    return new Identity({
      user: token.takeover?.user ?? token.user,
      actor: token.user,
      tokenId: token.id,
      slug: token.auth_slug,
      backend: token.backend,
      device: token.device,
      expiresIn: timeToExpiration(token),
      scopes: token.scopes,
      via,
    })
  }
}

/** Returns whole seconds until a token expires, or until its takeover ends if that comes first; at least 0. */
export function timeToExpiration(token: Token): number {
  const ends = [token.expires_at, token.takeover?.ends_at].filter((time) => typeof time === 'string')
  return Math.max(0, Math.floor((Math.min(...ends.map(Date.parse)) - Date.now()) / 1000))
}

/** Decodes percent-encoded UTF-8. Bytes that are no UTF-8 stay as they are: Doorward never sends them. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Whether a request may pass. An outage is not a verdict, but the error `Unavailable`. */
export class Verdict {
  /** 200, 401 or 403: the status for the client if the request may not pass. */
  readonly status: 200 | 401 | 403
  /** The user, or `null` for an anonymous one, which only an optional check lets pass. */
  readonly identity: Identity | null
  /** The headers of a refusal: `WWW-Authenticate` or `X-Auth-Reason`. */
  readonly headers: Readonly<Record<string, string>>

  constructor(status: 200 | 401 | 403, identity: Identity | null = null, headers: Record<string, string> = {}) {
    this.status = status
    this.identity = identity
    this.headers = headers
  }

  get allowed(): boolean {
    return this.status === 200
  }

  /** Why a valid token was refused: `second-factor`, `check` or `cross-site`. */
  get reason(): string | null {
    return this.headers['X-Auth-Reason'] ?? null
  }
}
