-- Reading one token. Needs user_index.lua.

-- Flags of a token or a device key, field f.
local ACTIVE, PENDING, LOCKED = 1, 16, 32

local function is_active(flags) return bit.band(flags, ACTIVE) ~= 0 end

-- Loads a token: {user, flags, expires_at_ms, is_revoked, device, is_expired}. Returns nil if it does not exist, or nil and an
-- error if it is corrupt. Purges a token whose time and grace are past.
--
-- An expired token counts as absent. Revocations pass `with_expired` and get it with is_expired: a renewal on its way must
-- not revive a token that was to be revoked.
local function load_or_purge(locator, with_expired)
  local token = key('t', locator)
  local t = redis.call('HMGET', token, 'u', 'f', 'x', 'e', 'd')
  local user, flags, expires_at_ms, revoked_at_ms = t[1], tonumber(t[2]), tonumber(t[3]), tonumber(t[4])
  if not user and redis.call('EXISTS', token) == 0 then return nil end
  if not user then return nil, corrupt(token, 'u') end
  if not flags then return nil, corrupt(token, 'f') end
  if not expires_at_ms then return nil, corrupt(token, 'x') end
  local active = is_active(flags)
  if not active and not revoked_at_ms then return nil, corrupt(token, 'e') end
  local kept_until_ms = active and expires_at_ms or revoked_at_ms + ctx.retention_ms
  local is_expired = kept_until_ms <= now_ms
  if ttl_ms(kept_until_ms) <= 0 then purge(user, locator) end
  if ttl_ms(kept_until_ms) <= 0 or (is_expired and not (with_expired and active)) then return nil end
  return {
    user = user, flags = flags, expires_at_ms = expires_at_ms, device = t[5],
    is_revoked = not active, is_expired = is_expired,
  }
end

-- Gives a changed token or device key its next version, field m: the time of the change, but later than the version before.
-- Without the field, the version is the time of creation.
local function write_version(name)
  local before = redis.call('HMGET', name, 'm', 'c')
  local version_ms = math.max(now_ms, (tonumber(before[1]) or tonumber(before[2]) or 0) + 1)
  redis.call('HSET', name, 'm', decimal(version_ms))
  return version_ms
end

-- Reads what events tell of a token.
local function read_facts(locator)
  return token_facts(unpack(redis.call('HMGET', key('t', locator), 's', 'i', 'z')))
end

-- Returns a reply with everything of a token: {status, fields, score of the last access}.
local function reply_with_token(status, user, locator)
  local last_access = redis.call('ZSCORE', key('u', user), '@' .. locator)
  return { status, redis.call('HGETALL', key('t', locator)), last_access }
end

