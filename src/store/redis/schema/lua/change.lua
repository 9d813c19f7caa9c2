-- Why a script: only a live token may be changed, and an ending moves its index entry with it.
-- ARGV[2]  locator
--          clear, set  flags to clear and to set
--          slug        '' as it is, '-' none, '=text' that
--          confirm     true when the second factor was shown
--          rotate      how the secret is replaced (secrets.lua); then ARGV[3], the new one's hash
--          why         why it ends; absent when it does not
-- Gives {0} for none, {status, fields, last access}: 1 done, 2 it had ended before, 3 its second factor is still to
-- be shown, 4 it was rotated too often.
local t, broken = find(a.locator, a.why)
if broken then return broken end
if t and t.expired then
  forget(t.user, a.locator)
  fit_ttl(t.user)
  return { 0 }
end
if not t then return { 0 } end
local token, user, flags = key('t', a.locator), t.user, t.flags
-- Fails, before anything is written, where the index is of another type.
redis.call('ZCARD', key('u', user))
if t.ended then return shown(2, user, a.locator) end

if a.rotate then
  if bit.band(flags, PENDING) ~= 0 then return shown(3, user, a.locator) end
  local rotated, broken = rotate(a.locator, ARGV[3], a.rotate)
  if broken then return broken end
  if not rotated then return shown(4, user, a.locator) end
  emit(user, { k = 'token.rotated', l = a.locator })
end
local changed = bit.bor(bit.band(flags, bit.bnot(a.clear)), a.set)
if a.confirm and bit.band(flags, PENDING) ~= 0 then
  changed = bit.band(changed, bit.bnot(PENDING))
  emit(user, { k = 'token.confirmed', l = a.locator })
end
-- First, because it fails where the index is of another type.
if a.why then
  end_token(user, a.locator, changed, a.why)
elseif changed ~= flags then
  redis.call('HSET', token, 'f', changed)
end
if a.slug == '-' then
  redis.call('HDEL', token, 's')
elseif a.slug ~= '' then
  redis.call('HSET', token, 's', string.sub(a.slug, 2))
end
if a.why then settle(user) end
return finish(shown(1, user, a.locator))
