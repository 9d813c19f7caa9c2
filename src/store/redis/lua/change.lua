-- Why a script: only a live token may be changed, and an ending moves its index entry with it.
-- ARGV[2]  locator
--          clear, set  flags to clear and to set
--          slug        '' as it is, '-' none, '=text' that
--          confirm     true when the second factor was shown
--          rotate      {until when the present secret stays good, the most previous ones}; then ARGV[3], the new
--                      one's hash
--          why         why it ends; absent when it does not
-- Gives {0} for none, {status, fields, last access}: 1 done, 2 it had ended before, 3 its second factor is still to
-- be shown, 4 it was rotated too often.
local t, broken = find(a.locator)
if broken then return broken end
if not t then return { 0 } end
local token, user, flags = key('t', a.locator), t.user, t.flags
if t.ended then return shown(2, user, a.locator) end

-- Field p: 16 bytes of hash and 13 digits of deadline for each previous secret, oldest first.
local ENTRY = 29
local function rotate(hash, deadline, most)
  local old, still_good = redis.call('HGET', token, 'p') or '', ''
  for at = 1, #old, ENTRY do
    local entry = string.sub(old, at, at + ENTRY - 1)
    if (tonumber(string.sub(entry, 17)) or 0) > now then still_good = still_good .. entry end
  end
  if #still_good / ENTRY >= most then return false end
  if deadline > now then
    still_good = still_good .. redis.call('HGET', token, 'h') .. string.format('%013.0f', deadline)
  end
  redis.call('HSET', token, 'h', hash)
  if still_good ~= '' then
    redis.call('HSET', token, 'p', still_good)
  elseif old ~= '' then
    redis.call('HDEL', token, 'p')
  end
  emit(user, { k = 'token.rotated', l = a.locator })
  return true
end

if a.rotate then
  if bit.band(flags, PENDING) ~= 0 then return shown(3, user, a.locator) end
  if not rotate(ARGV[3], a.rotate[1], a.rotate[2]) then return shown(4, user, a.locator) end
end
local changed = bit.bor(bit.band(flags, bit.bnot(a.clear)), a.set)
if a.confirm and bit.band(flags, PENDING) ~= 0 then
  changed = bit.band(changed, bit.bnot(PENDING))
  emit(user, { k = 'token.confirmed', l = a.locator })
end
if changed ~= flags then redis.call('HSET', token, 'f', changed) end
if a.slug == '-' then
  redis.call('HDEL', token, 's')
elseif a.slug ~= '' then
  redis.call('HSET', token, 's', string.sub(a.slug, 2))
end
if a.why then
  end_token(user, a.locator, changed, a.why)
  fit_ttl(user)
end
return finish(shown(1, user, a.locator))
