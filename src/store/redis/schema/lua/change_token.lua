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
-- `objects`, and the end moves later, 8 the end moves later and the foreign string of an imported token still opens it; {0} if
-- there is no such token.
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
local terms
if a.idle_ms or a.lifetime_ms then
  local refusal
  terms, refusal, err = new_terms(a.locator, a)
  if err then return err end
  if refusal then return reply_with_token(refusal, user, a.locator) end
end
if a.rotate then
  if bit.band(flags, PENDING) ~= 0 then return reply_with_token(3, user, a.locator) end
  local secrets = redis.call('HMGET', token, 'h', 'p')
  if not secrets[1] then return corrupt(token, 'h') end
  local previous = rotated_out(secrets[2] or '', secrets[1], a.rotate)
  if previous == nil then return corrupt(token, 'p') end
  if not previous then return reply_with_token(4, user, a.locator) end
  redis.call('HSET', token, 'h', ARGV[3], 'p', previous)
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
if terms then
  write_terms(a.locator, terms)
  write_expiry(user, a.locator, math.min(now_ms + terms.idle_ms, terms.ends_at_ms))
end
if a.rotate then emit(user, { k = 'token.rotated', l = a.locator }, read_facts(a.locator)) end
local changed = bit.bor(bit.band(flags, bit.bnot(a.clear)), a.set)
if a.confirm and bit.band(flags, PENDING) ~= 0 then
  changed = bit.band(changed, bit.bnot(PENDING))
  emit(user, { k = 'token.confirmed', l = a.locator }, read_facts(a.locator))
end
if a.rotate or terms or changed ~= flags or a.slug ~= '' or a.scopes ~= '' then write_version(token) end
if a.reason then
  revoke_token(user, a.locator, changed, a.reason)
elseif changed ~= flags then
  redis.call('HSET', token, 'f', changed)
end
if a.reason or terms then prune_and_fit_ttl(user) end
return finish(reply_with_token(1, user, a.locator))
