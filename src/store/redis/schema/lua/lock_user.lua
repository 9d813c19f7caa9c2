-- Locks or unlocks a user.
-- Why a script: the marker and the flag of every token change in one step. So while a user is locked, no token of the user
-- lacks the flag, and none can be issued. The step takes all tokens, at about 2 µs each: a lock of several steps
-- would be half there in between.
-- KEYS     the user's index
-- ARGV[2]  user
--          locked    whether to lock
--          trace_ms  how long a trace is kept (shared/traces.lua)
-- Returns {1 if the lock changed, else 0, locators of the tokens that changed}.

-- Fails if the index is of another type, before anything is written.
local locators, marker = lockable_tokens(a.user), key('l', a.user)
local was_locked = redis.call('EXISTS', marker) == 1
if a.locked and not was_locked then redis.call('SET', marker, decimal(now_ms)) end
if not a.locked then redis.call('UNLINK', marker) end
if was_locked and not a.locked then leave_user_trace(a.user, 'l', now_ms) end
local changed = flag_locked(locators, a.locked)
local is_changed = a.locked ~= was_locked
if is_changed then emit(a.user, { k = a.locked and 'user.locked' or 'user.unlocked' }) end
return finish({ is_changed and 1 or 0, changed })
