/** The validation plane: may this request pass? */

import type { IncomingMessage } from 'node:http'
import type { Verdict } from './identity.js'
import {
  checkRequest,
  logoutRequest,
  readLogout,
  readVerdict,
  type Checkable,
  type ClientRequest,
  type Logout,
} from './request.js'
import { Transport, type TransportOptions } from './transport.js'

/** What the middlewares ask: a `Validator` or a `Batcher`. */
export interface Checker {
  /**
   * Judges a request, or a bare token string. With `optional`, a request without a valid token passes without a user.
   *
   * @throws {Unavailable} in an outage.
   */
  check(request: Checkable, options?: { optional?: boolean }): Promise<Verdict>
}

/** Settings of a `Validator`. */
export interface ValidatorOptions extends TransportOptions {
  /** Further headers of the client's request that Doorward's settings give a meaning. */
  forwardHeaders?: readonly string[]
}

/** Asks the validation plane. */
export class Validator implements Checker {
  readonly #transport: Transport
  readonly #forward: readonly string[]

  /** `url`: `http://host:port`, `https://host:port` or `unix:/path`. `timeout`, of each check, is 1,000 ms. */
  constructor(url = 'http://127.0.0.1:8080', { timeout = 1000, tls, forwardHeaders = [] }: ValidatorOptions = {}) {
    this.#transport = new Transport(url, timeout, tls)
    this.#forward = forwardHeaders
  }

  /**
   * Judges a request, or a bare token string, as `/auth` does.
   *
   * With `optional`, a request without a valid token passes without a user. `name` names a check of Doorward's settings.
   *
   * @throws {Unavailable} in an outage.
   */
  async check(
    request: Checkable,
    { optional = false, name }: { optional?: boolean; name?: string } = {},
  ): Promise<Verdict> {
    const asked = checkRequest(request, { optional, name }, this.#forward)
    // A named check may admit anonymous users.
    return readVerdict(await this.#transport.send(asked), optional || name !== undefined)
  }

  /**
   * Ends the request's takeover, or else revokes its token, as `POST /logout` does.
   *
   * A logout by cookie that another site caused does nothing.
   *
   * @throws {Unavailable} in an outage. Then it is unknown whether the user is logged out.
   */
  async logout(request: IncomingMessage | ClientRequest): Promise<Logout> {
    return readLogout(await this.#transport.send(logoutRequest(request, this.#forward)))
  }

  /** Closes the connections. No request may be under way. */
  close(): void {
    this.#transport.close()
  }
}
