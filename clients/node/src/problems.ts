/** Reads refusals of the admin plane: RFC 9457. */

import { Conflict, InvalidFields, KeyRefused, LoginRefused, NotFound, Problem, type FieldError } from './errors.js'
import type { Response } from './transport.js'

const KINDS: Readonly<Record<number, typeof Problem>> = {
  401: KeyRefused,
  403: KeyRefused,
  404: NotFound,
  409: Conflict,
  422: InvalidFields,
}

/** The members of a problem, which another server's answer need not have. */
interface ProblemJson {
  type?: unknown
  title?: unknown
  detail?: unknown
  errors?: unknown
  token?: unknown
}

/** Returns the kind of Problem that a refusal is. */
export function problem(response: Response): Problem {
  const data = read(response.body)
  const kind = text(data.type).split(':').at(-1) ?? ''
  const raised = kind === 'login-refused' ? LoginRefused : (KINDS[response.status] ?? Problem)
  return new raised({
    httpStatus: response.status,
    kind,
    title: text(data.title),
    detail: text(data.detail),
    errors: Array.isArray(data.errors) ? (data.errors as FieldError[]) : [],
    requestId: text(response.headers['x-request-id']) || undefined,
    tokenId: text(data.token) || undefined,
  })
}

function read(body: string): ProblemJson {
  try {
    const data: unknown = JSON.parse(body)
    return typeof data === 'object' && data !== null ? data : {}
  } catch {
    return {}
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
