// Writes the sessions of express-session in connect-redis for `doorward import`, with a SHA-256 in place of each
// session id. Run it in the folder of the site, whose `redis` package it uses:
//   REDIS_URL=redis://localhost:6379 node export-express-session.mjs > tokens.ndjson
import { createHash } from 'node:crypto'
import { createClient } from 'redis'

// `prefix` and `ttl` of the RedisStore.
const PREFIX = 'sess:'
const TTL_SECONDS = 86400
// Where the site keeps the user: with Passport `session.passport?.user`. The user is named as in `POST /v1/tokens`, and
// so the applications get it as X-Auth-User. It is a text or a number: of an object, take the field that names the user.
// A session without a user is not exported.
const userOf = (session) => session.user

const redis = await createClient({ url: process.env.REDIS_URL }).connect()
for await (const keys of redis.scanIterator({ MATCH: `${PREFIX}*`, COUNT: 1000 })) {
  for (const key of keys) {
    const session = JSON.parse(await redis.get(key)) ?? {}
    const user = userOf(session) ?? null
    if (user === null) continue
    // All objects would become one user, "[object Object]".
    if (!['string', 'number'].includes(typeof user)) throw new Error(`userOf returns a value of type ${typeof user}`)
    const record = {
      scheme: 'express-session',
      digest: createHash('sha256').update(key.slice(PREFIX.length)).digest('hex'),
      user: String(user),
      // Each request renews a session for the age of its cookie, or for the store's TTL.
      idle_seconds: Math.ceil((session.cookie.originalMaxAge ?? TTL_SECONDS * 1000) / 1000),
    }
    console.log(JSON.stringify(record))
  }
}
redis.destroy()
