-- Locks or unlocks a user, as a node remembers it.
-- Why a script: the marker and the flag of every token change in one step, and the later of a lock and an unlock wins.
-- KEYS     the user's index
-- ARGV[2]  user
--          locked    whether it was a lock
--          at_ms     when it was
--          trace_ms  how long a trace is kept
-- Returns 1 if the lock changed, else 0.

-- Fails if the index is of another type, before anything is written.
local locators, marker = lockable_tokens(a.user), key('l', a.user)
local locked_at_ms = tonumber(redis.call('GET', marker)) or 0
local unlocked_at_ms = tonumber(redis.call('HGET', key('y', a.user), 'l')) or 0
if a.locked then
  if a.at_ms < unlocked_at_ms or a.at_ms <= locked_at_ms then return 0 end
  redis.call('SET', marker, decimal(a.at_ms))
else
  leave_user_trace(a.user, 'l', a.at_ms)
  if locked_at_ms == 0 or a.at_ms <= locked_at_ms then return 0 end
  redis.call('UNLINK', marker)
end
flag_locked(locators, a.locked)
return a.locked == (locked_at_ms == 0) and 1 or 0
