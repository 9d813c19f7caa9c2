-- Merges remembered tokens.
-- Why a script: what is there and what is remembered are compared and joined in one step.
-- KEYS     one of the tokens; all hash tags of a call are in one slot
-- ARGV[2]  tokens          {hash tag, locator, its last access or 0, how many of the further arguments are its fields} each
--          max_remembered  the most rotated-out secrets that are remembered
--          trace_ms        how long a trace is kept
-- ARGV[3…] the fields of their hashes
-- Returns for each 0 if nothing changed, 1 if the token was created, 2 if it was changed, 3 if it has ended, 4 if a record is
-- corrupt.
--
-- 1. A token that is revoked, or of which a trace is left, stays revoked. An erased user gets no token back.
-- 2. Otherwise the later version wins the slug, the scopes, the flags, the terms and the related objects.
-- 3. A secret that was rotated out on either side is out, at the earlier deadline. All other secrets are good: one is the current
--    one, and the others are its siblings. So no acknowledged secret is lost.
-- 4. A confirmed second factor is confirmed. The later access counts, within the terms. The later takeover acts, unless it ended.

-- Removes a takeover that has ended from field t. Returns its start and its locator, for comparing; nil without one.
local function acting(locator, fields)
  local takeover = fields.t and cmsgpack.unpack(fields.t)
  if not takeover then return nil end
  local has_ended = takeover[3] <= now_ms or redis.call('EXISTS', key('q', takeover[1])) == 1
    or redis.call('HGET', key('o', locator), '-' .. takeover[1])
  if has_ended then
    fields.t = nil
    return nil
  end
  return string.format('%013.0f', takeover[4]) .. takeover[1]
end

-- Returns the secrets of both states: the current one, and the packed others.
local function join_secrets(s, r)
  local deadlines = {}
  local function add(hash, deadline_ms)
    local known = deadlines[hash]
    if not known or known == SIBLING then
      deadlines[hash] = deadline_ms
    elseif deadline_ms ~= SIBLING then
      deadlines[hash] = math.min(known, deadline_ms)
    end
  end
  for _, fields in ipairs({ s, r }) do
    add(fields.h, SIBLING)
    for _, secret in ipairs(previous_secrets(fields.p or '') or {}) do add(secret.hash, secret.deadline_ms) end
  end
  local good, out = {}, {}
  for hash, deadline_ms in pairs(deadlines) do
    table.insert(deadline_ms == SIBLING and good or out, { hash = hash, deadline_ms = deadline_ms })
  end
  table.sort(good, function(one, other) return one.hash < other.hash end)
  table.sort(out, function(one, other)
    if one.deadline_ms ~= other.deadline_ms then return one.deadline_ms < other.deadline_ms end
    return one.hash < other.hash
  end)
  while count(out, is_remembered) > a.max_remembered do table.remove(out, 1) end
  -- The same one on every node, whatever the order of merging.
  local current = table.remove(good)
  local packed = {}
  for _, secrets in ipairs({ out, good }) do
    for _, secret in ipairs(secrets) do table.insert(packed, pack_secret(secret)) end
  end
  return current.hash, table.concat(packed)
end

-- Returns the joined fields of what is there and what is remembered.
local function join(locator, s, r)
  local later, earlier = by_version(s, r)
  local s_takeover, r_takeover = acting(locator, s), acting(locator, r)
  local joined = {}
  for name, value in pairs(later) do joined[name] = value end
  if s.h ~= r.h or s.p ~= r.p then
    local previous
    joined.h, previous = join_secrets(s, r)
    joined.p = previous ~= '' and previous or nil
  end
  joined.t = (s_takeover or '') > (r_takeover or '') and s.t or r.t
  local flags, both = tonumber(later.f), bit.band(tonumber(s.f), tonumber(r.f))
  if bit.band(both, PENDING) == 0 then flags = bit.band(flags, bit.bnot(PENDING)) end
  joined.f = flags
  local terms, earlier_terms = unpack_terms(later.i), unpack_terms(earlier.i)
  -- The other's expiry tells its last access.
  local earned_ms = tonumber(earlier.x) - earlier_terms.idle_ms + terms.idle_ms
  joined.x = decimal(math.min(math.max(tonumber(later.x), earned_ms), terms.ends_at_ms))
  return joined
end

-- Merges a token; `r` are its remembered fields. Returns what the head says. Fails before anything is written.
local function merge(hash_tag, locator, accessed_at_ms, r)
  ctx.hash_tag = hash_tag
  local token, user = key('t', locator), r.u
  if redis.call('EXISTS', key('q', locator)) == 1 then return 3 end
  if version_of(r) <= erased_until_ms(user) then return 3 end
  local present = by_name(redis.call('HGETALL', token), 1)
  if present.e then return 3 end
  -- Fail if a key is of another type.
  redis.call('ZCARD', key('u', user))
  local has_takeovers = redis.call('HLEN', key('o', locator)) > 0

  local is_new, s = next(present) == nil, {}
  for name, value in pairs(present) do s[name] = value end
  if not is_new and not (s.u and s.h and tonumber(s.f) and tonumber(s.x) and unpack_terms(s.i)) then
    error('corrupt')
  end
  local joined = is_new and r or join(locator, s, r)
  if is_new then acting(locator, joined) end
  local is_user_locked = redis.call('EXISTS', key('l', user)) == 1
  local flags = tonumber(joined.f)
  joined.f = decimal(is_user_locked and bit.bor(flags, LOCKED) or bit.band(flags, bit.bnot(LOCKED)))
  local expires_at_ms = tonumber(joined.x)
  accessed_at_ms = math.max(accessed_at_ms, tonumber(joined.c))
  if ttl_ms(expires_at_ms) <= 0 then return 0 end

  local is_changed = write_fields(token, joined, present)
  if is_changed then
    redis.call('PEXPIRE', token, decimal(ttl_ms(expires_at_ms)))
    if redis.call('ZSCORE', key('u', user), locator) then
      redis.call('ZADD', key('u', user), decimal(expires_at_ms), locator)
    else
      local others = redis.call('ZCOUNT', key('u', user), 0, BELOW_REVOKED)
      local entry = { locator = locator, created_at_ms = tonumber(joined.c), expires_at_ms = expires_at_ms }
      add_to_index(user, entry, accessed_at_ms, others)
    end
    -- A takeover ends with its token.
    if has_takeovers then redis.call('HSET', key('o', locator), 'x', decimal(expires_at_ms)) end
  end
  redis.call('ZADD', key('u', user), 'XX', 'LT', decimal(-accessed_at_ms), '@' .. locator)
  prune_and_fit_ttl(user)
  return is_new and 1 or (is_changed and 2 or 0)
end

local statuses, at = {}, 3
for place, token in ipairs(a.tokens) do
  local hash_tag, locator, accessed_at_ms, length = unpack(token)
  -- One corrupt record must not keep the others from being merged.
  local is_merged, status = pcall(merge, hash_tag, locator, accessed_at_ms, by_name(ARGV, at, at + length - 1))
  statuses[place], at = is_merged and status or 4, at + length
end
return statuses
