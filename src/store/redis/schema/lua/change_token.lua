-- Changes, confirms, rotates or revokes one token.
-- Why a script: only a live token may be changed, and its index entry changes with it.
-- KEYS     the token
-- ARGV[2]  locator
--          clear, set  flags to clear and to set
--          slug        '' to keep it, '-' to remove it, '=text' to set it
--          scopes      the same
--          idle_ms     the idle time; absent: keep it
--          lifetime_ms the absolute lifetime, from the time of issue; absent: keep the end
--          objects     {content type, object id} each: the objects whose reverse-index entries reach to the new end
--          confirm     whether the second factor was confirmed
--          rotate      how to replace the secret, see shared/secrets.lua; absent: keep it
--          reason      why to revoke it; absent: do not
-- ARGV[3]  hash of the new secret, if it is rotated
-- Returns {status, fields, last access}: 1 done, 2 revoked before, 3 its second factor is pending, 4 rotated too often, 5 it
-- is neither rotated nor confirmed while its user is locked, 6 the lifetime is over, 7 a related object is not among
-- `objects`, and the end moves later, 8 the end moves later and the foreign string of an imported token still opens it; {0} if there is no such token.
local t, err = load_or_purge(a.locator, a.reason)
if err then return err end
if t and t.is_expired then
  purge(t.user, a.locator)
  prune_and_fit_ttl(t.user)
  return { 0 }
end
if not t then return { 0 } end
local token, user, flags = key('t', a.locator), t.user, t.flags
-- Fails if the index is of another type, before anything is written.
redis.call('ZCARD', key('u', user))
if t.is_revoked then return reply_with_token(2, user, a.locator) end

if (a.rotate or a.confirm) and bit.band(flags, LOCKED) ~= 0 then return reply_with_token(5, user, a.locator) end

-- Returns whether the entries of all related objects reach to the new end.
local function has_long_entries()
  local packed, given = redis.call('HGET', token, 'r'), {}
  for _, object in ipairs(a.objects) do given[object[1] .. '\0' .. object[2]] = true end
  for _, object in ipairs(packed and cmsgpack.unpack(packed) or {}) do
    if not given[object[1] .. '\0' .. object[2]] then return false end
  end
  return true
end

-- Returns whether the token was imported and never rotated. The alias of its foreign string is kept until the end of now.
local function has_foreign_string()
  local fields = redis.call('HMGET', token, 'z', 'p')
  local is_whole, cold = pcall(cmsgpack.unpack, fields[1])
  return is_whole and type(cold) == 'table' and cold[3] ~= nil and not fields[2]
end

local is_retimed, takeover, idle_ms, ends_at_ms, backend = a.idle_ms or a.lifetime_ms
if is_retimed then
  local fields = redis.call('HMGET', token, 'i', 'c', 't')
  local created_at_ms, old_end_ms = tonumber(fields[2])
  if not created_at_ms then return corrupt(token, 'c') end
  takeover = fields[3]
  idle_ms, old_end_ms, backend = unpack_terms(fields[1])
  if not idle_ms then return corrupt(token, 'i') end
  idle_ms = a.idle_ms or idle_ms
  ends_at_ms = a.lifetime_ms and created_at_ms + a.lifetime_ms or old_end_ms
  if ends_at_ms <= now_ms then return reply_with_token(6, user, a.locator) end
  if ends_at_ms > old_end_ms and has_foreign_string() then return reply_with_token(8, user, a.locator) end
  if ends_at_ms > old_end_ms and not has_long_entries() then return reply_with_token(7, user, a.locator) end
end
if a.rotate then
  if bit.band(flags, PENDING) ~= 0 then return reply_with_token(3, user, a.locator) end
  local rotated, err = rotate(a.locator, ARGV[3], a.rotate)
  if err then return err end
  if not rotated then return reply_with_token(4, user, a.locator) end
end
local function edit_text(field, edit)
  if edit == '-' then
    redis.call('HDEL', token, field)
  elseif edit ~= '' then
    redis.call('HSET', token, field, string.sub(edit, 2))
  end
end
-- Before the events, which tell the slug.
edit_text('s', a.slug)
edit_text('o', a.scopes)
if is_retimed then
  write_terms(a.locator, idle_ms, ends_at_ms, backend)
  write_expiry(user, a.locator, math.min(now_ms + idle_ms, ends_at_ms), takeover)
end
if a.rotate then emit(user, { k = 'token.rotated', l = a.locator }, read_facts(a.locator)) end
local changed = bit.bor(bit.band(flags, bit.bnot(a.clear)), a.set)
if a.confirm and bit.band(flags, PENDING) ~= 0 then
  changed = bit.band(changed, bit.bnot(PENDING))
  emit(user, { k = 'token.confirmed', l = a.locator }, read_facts(a.locator))
end
if a.reason then
  revoke_token(user, a.locator, changed, a.reason)
elseif changed ~= flags then
  redis.call('HSET', token, 'f', changed)
end
if a.reason or is_retimed then prune_and_fit_ttl(user) end
return finish(reply_with_token(1, user, a.locator))
