-- Traces of endings. Needs decimal.lua.
--
-- A trace keeps what a node merges later from coming back: dw:q:<locator> of a token, takeover or device key, dw:q:<name> of a
-- cut-off, and dw:y:<user>. It is kept for a.trace_ms, longer than any node remembers the change before the ending; 0 if no node
-- remembers any.

local function leave_trace(name, value)
  if a.trace_ms > 0 then redis.call('SET', key('q', name), value, 'PX', decimal(a.trace_ms)) end
end

-- Keeps the later time of an ending of the user: e the erasure, l the unlock.
local function leave_user_trace(user, field, at_ms)
  if a.trace_ms == 0 then return end
  local traces = key('y', user)
  local known_ms = tonumber(redis.call('HGET', traces, field)) or 0
  if at_ms > known_ms then redis.call('HSET', traces, field, decimal(at_ms)) end
  redis.call('PEXPIRE', traces, decimal(a.trace_ms))
end

