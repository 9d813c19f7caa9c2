-- Checks tokens that are not corrupt: TTL, members in the user's index, takeover under way, flag of a lock.
-- Why a script: record, index and history are compared as of one moment, and repaired in the same step.
-- Item     hash tag, locator
-- Also in ARGV[2]: max and retention_ms, see shared/takeover_history.lua
-- See shared/verification.lua.

local function check_ttl(position, t)
  local gone_at_ms = not t.is_revoked and t.kept_until_ms + a.longest_grace_ms or nil
  local damage = ttl_damage(key('t', t.locator), t.is_revoked and 0 or t.kept_until_ms, gone_at_ms)
  if not damage then return end
  if a.repair and ttl_ms(t.kept_until_ms) <= 0 then
    -- Nothing would ever remove it.
    purge(t.user, t.locator)
  elseif a.repair then
    redis.call('PEXPIRE', key('t', t.locator), ttl_ms(t.kept_until_ms))
  end
  report(position, damage, a.repair)
end

-- A revoked token is in the index by the retention at that time, which may have been another setting.
local function is_right_score(t, score)
  if t.is_revoked then return score >= REVOKED + t.revoked_at_ms end
  return score == t.kept_until_ms
end

local function is_right_entry(t, score, access, age)
  if not is_right_score(t, score) or not access or access > 0 or access <= -REVOKED then return false end
  if t.is_revoked then return not age end
  if age then return age == OLDEST + t.created_at_ms end
  return redis.call('ZCOUNT', key('u', t.user), 0, BELOW_REVOKED) <= 1
end

local function write_entry(t, score, access)
  local index = key('u', t.user)
  local accessed_at_ms = access and access <= 0 and access > -REVOKED and -access or t.created_at_ms
  -- A score in a wrong range would count as another token.
  redis.call('ZREM', index, '@' .. t.locator, '#' .. t.locator)
  if t.is_revoked then
    redis.call('ZADD', index, REVOKED + t.kept_until_ms, t.locator, -accessed_at_ms, '@' .. t.locator)
  else
    local others = redis.call('ZCOUNT', index, 0, BELOW_REVOKED)
    if score and score >= 0 and score < REVOKED then others = others - 1 end
    local token = { locator = t.locator, created_at_ms = t.created_at_ms, expires_at_ms = t.kept_until_ms }
    add_to_index(t.user, token, accessed_at_ms, others)
  end
  set_ttl(index, ttl_ms(longest_kept_ms(t.user)))
end

local function check_entry(position, t)
  local members = redis.pcall('ZMSCORE', key('u', t.user), t.locator, '@' .. t.locator, '#' .. t.locator)
  if is_foreign(members) then return end
  local score, access, age = tonumber(members[1]), tonumber(members[2]), tonumber(members[3])
  if score and is_right_entry(t, score, access, age) then return end
  -- The index of a token that is about to go may be gone already.
  if not score and t.kept_until_ms <= now_ms + a.tolerance_ms then return end
  if a.repair then write_entry(t, score, access) end
  report(position, score and 'index-entry-differs' or 'token-not-in-index', a.repair)
end

-- Returns {locator, user, ends_at_ms, started_at_ms, reason}; nil if field t is garbled, which the codec reports.
local function takeover_of(packed)
  local is_whole, takeover = pcall(cmsgpack.unpack, packed)
  return is_whole and type(takeover) == 'table' and #takeover == 5 and takeover or nil
end

local function restore_history(t, locator, user, ends_at_ms, started_at_ms, reason)
  -- An array of four.
  local record = '\148' .. cmsgpack.pack(started_at_ms, user, reason ~= '' and reason or nil, ends_at_ms)
  local takeover = { locator = locator, record = record, ends_at_ms = ends_at_ms }
  add_to_history(t.user, t.locator, t.kept_until_ms, takeover, a)
end

local function check_takeover(position, t)
  local packed = redis.call('HGET', key('t', t.locator), 't')
  local takeover = packed and takeover_of(packed)
  if not takeover then return end
  local locator, ends_at_ms = takeover[1], takeover[3]
  local history = redis.pcall('HMGET', key('o', t.locator), locator, '-' .. locator)
  if is_foreign(history) then return end
  if t.is_revoked or history[2] then
    if a.repair then redis.call('HDEL', key('t', t.locator), 't') end
    report(position, 'ended-takeover-acts', a.repair)
  elseif not history[1] and math.min(ends_at_ms, t.kept_until_ms) > now_ms + a.tolerance_ms then
    if a.repair then restore_history(t, unpack(takeover)) end
    report(position, 'takeover-without-history', a.repair)
  end
end

local function check_lock(position, t)
  local is_locked = redis.call('EXISTS', key('l', t.user)) == 1
  if t.is_revoked or is_locked == (bit.band(t.flags, LOCKED) ~= 0) then return end
  if a.repair then redis.call('HSET', key('t', t.locator), 'f', bit.bxor(t.flags, LOCKED)) end
  report(position, 'lock-differs', a.repair)
end

for_each_item(2, function(position, locator)
  local fields = redis.pcall('HMGET', key('t', locator), 'u', 'f', 'x', 'e', 'c')
  if is_foreign(fields) then return end
  local flags, expires_at_ms, created_at_ms = tonumber(fields[2]), tonumber(fields[3]), tonumber(fields[5])
  -- Gone meanwhile, or corrupt.
  if not fields[1] or not flags or not expires_at_ms or not created_at_ms then return end
  local is_revoked, revoked_at_ms = not is_active(flags), tonumber(fields[4])
  if is_revoked and not revoked_at_ms then return end
  local t = {
    user = fields[1], locator = locator, flags = flags, created_at_ms = created_at_ms,
    is_revoked = is_revoked, revoked_at_ms = revoked_at_ms,
    kept_until_ms = is_revoked and revoked_at_ms + ctx.retention_ms or expires_at_ms,
  }
  check_lock(position, t)
  check_takeover(position, t)
  check_entry(position, t)
  check_ttl(position, t)
end)
return found
