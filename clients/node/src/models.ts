/**
 * The objects of Doorward's API. Members are named as on the wire; times are RFC 3339 strings. An answer may have
 * further members.
 */

/** An object of the application that tokens belong to. */
export interface RelatedObject {
  content_type: string
  object_id: string
}

/** A token acts as another user. */
export interface Takeover {
  id: string
  token: string
  actor: string
  user: string
  reason: string | null
  is_active: boolean
  created_at: string
  ends_at: string | null
  ended_at: string | null
}

/** A token without its secret. */
export interface Token {
  id: string
  user: string
  created_at: string
  last_access: string
  expires_at: string
  ends_at: string | null
  is_active: boolean
  /** Whether the token does not wait for its second factor. */
  is_authenticated: boolean
  user_agent: string
  expiration: boolean
  ip: string
  auth_slug: string | null
  backend: string | null
  scopes: string[]
  allowed_cookie: boolean
  allowed_header: boolean
  related_objects: RelatedObject[]
  takeover: Takeover | null
  device: string | null
  /** `null` until the token is revoked. */
  revoked_at: string | null
  revoked_reason: string | null
  /** Whether the user is locked: the token is refused until the unlock. */
  locked: boolean
  /** The scheme of the system that the token was imported from. */
  origin: string | null
}

/** A token with its secret, from an issue, a device login or a rotation. `console.log` does not show the secret. */
export interface IssuedToken extends Token {
  /** The token string: the secret. */
  token: string
  /** The ready value of a `Set-Cookie` header, if it was asked for. */
  set_cookie?: string
}

/** A device key, by which a device logs its user in. */
export interface Device {
  uuid: string
  user: string
  name: string | null
  created_at: string
  last_login: string | null
  is_active: boolean
  user_agent: string
  /** The scheme of the system that the key was imported from. */
  origin: string | null
}

/** A device key with its new secret, from a rotation. `console.log` does not show the secret. */
export interface RotatedDevice extends Device {
  login_token: string
}

/** A device key that was made, or found. `console.log` does not show the secret. */
export interface CreatedDevice extends Device {
  /** Whether the key is new. */
  created: boolean
  /** The secret of a new key. It is shown once. */
  login_token: string | null
}

/** A page of a listing, newest first. */
export interface Page<T> {
  items: T[]
  /** The `cursor` of the next page, or `null` for the last one. */
  next_cursor: string | null
}

/** What a login may say about its token, besides user and address. Doorward's API documentation explains each. */
export interface TokenFields {
  user_agent?: string
  auth_slug?: string | null
  backend?: string | null
  scopes?: readonly string[]
  expiration?: boolean
  idle_seconds?: number
  lifetime_seconds?: number
  allowed_cookie?: boolean
  allowed_header?: boolean
  is_authenticated?: boolean
  related_objects?: readonly RelatedObject[]
  set_cookie?: boolean
}

/** What can be changed of a token. */
export interface TokenChanges {
  auth_slug?: string | null
  allowed_cookie?: boolean
  allowed_header?: boolean
  scopes?: readonly string[]
  idle_seconds?: number
  lifetime_seconds?: number
}

/** What can be changed of a device key. */
export interface DeviceChanges {
  name?: string | null
  is_active?: boolean
}
