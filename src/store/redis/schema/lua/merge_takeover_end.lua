-- Ends a takeover whose early end a node remembers.
-- Why a script: the token stops acting, and its history says since when, in one step.
-- KEYS     the token
-- ARGV[2]  locator   the token's
--          takeover  the takeover's locator
--          at_ms     when it was ended
--          trace_ms  how long a trace is kept
-- Returns the user taken over if the takeover was not known to have ended, else nil.
local history, token = key('o', a.locator), key('t', a.locator)
local packed = redis.call('HGET', token, 't')
local is_whole, acting = pcall(cmsgpack.unpack, packed or '')
if packed and is_whole and type(acting) == 'table' and acting[1] == a.takeover then redis.call('HDEL', token, 't') end
local record = redis.call('HGET', history, a.takeover)
if not record then
  leave_trace(a.takeover, decimal(a.at_ms))
  return nil
end
if redis.call('HGET', history, '-' .. a.takeover) then return nil end
redis.call('HSET', history, '-' .. a.takeover, decimal(a.at_ms))
local is_record, takeover = pcall(cmsgpack.unpack, record)
return is_record and type(takeover) == 'table' and takeover[2] or nil
