-- Ends the scripts that start with short_context.lua: publishes `event`, and writes it to the history of `user`, as finish
-- in events.lua does.
redis.call('PUBLISH', ARGV[5], ARGV[4] .. user .. '\0' .. event)
local max_events = tonumber(ARGV[6])
if max_events > 0 then
  local history = ARGV[3] .. 'e' .. named .. user
  local pushed = redis.pcall('LPUSH', history, event)
  if type(pushed) == 'number' then
    if pushed > max_events then redis.call('LTRIM', history, 0, max_events - 1) end
    redis.call('PEXPIRE', history, ARGV[7])
  end
end
