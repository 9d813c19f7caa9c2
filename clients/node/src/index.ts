/**
 * Client of Doorward, a session token server. Documentation: README.md of this package.
 *
 * `Validator` asks whether a request may pass, `Admin` manages tokens, and `Batcher` asks for busy servers.
 * `doorward/express` and `doorward/fastify` are for frameworks.
 */

export { Admin, type PageOptions } from './admin.js'
export { Batcher, type BatcherOptions } from './batcher.js'
export {
  Conflict,
  DoorwardError,
  InvalidFields,
  KeyRefused,
  LoginRefused,
  NotFound,
  Problem,
  Unavailable,
  type FieldError,
} from './errors.js'
export { Identity, Verdict, timeToExpiration } from './identity.js'
export type * from './models.js'
export type { Checkable, ClientRequest, Logout } from './request.js'
export type { TransportOptions } from './transport.js'
export { Validator, type Checker, type ValidatorOptions } from './validator.js'
