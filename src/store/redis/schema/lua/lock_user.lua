-- Locks or unlocks a user.
-- Why a script: the marker and the flag of every token change in one step. So while a user is locked, no token of the user
-- lacks the flag, and none can be issued. The step takes all tokens, at about 2 µs each: a lock of several steps
-- would be half there in between.
-- KEYS     the user's index
-- ARGV[2]  user
--          locked  whether to lock
-- Returns {1 if the lock changed, else 0, locators of the tokens that changed}.

-- Fails if the index is of another type, before anything is written. An expired token is flagged, too: a renewal on its way
-- may still be written.
local locators = redis.call('ZRANGEBYSCORE', key('u', a.user), 0, BELOW_REVOKED)
local marker, changed = key('l', a.user), {}
local was_locked = redis.call('EXISTS', marker) == 1
if a.locked and not was_locked then redis.call('SET', marker, decimal(now_ms)) end
if not a.locked then redis.call('UNLINK', marker) end
for _, locator in ipairs(locators) do
  local token = key('t', locator)
  -- A corrupt record is refused without the flag.
  local flags = tonumber(redis.pcall('HGET', token, 'f'))
  local wanted = flags and (a.locked and bit.bor(flags, LOCKED) or bit.band(flags, bit.bnot(LOCKED)))
  if wanted ~= flags then
    redis.call('HSET', token, 'f', wanted)
    table.insert(changed, locator)
  end
end
local is_changed = a.locked ~= was_locked
if is_changed then emit(a.user, { k = a.locked and 'user.locked' or 'user.unlocked' }) end
return finish({ is_changed and 1 or 0, changed })
