-- Starts the scripts of the most frequent changes, instead of context.lua. Such a script is for the usual case and leaves any
-- other to a script that knows all cases. It takes plain arguments and defines no functions: unpacking the arguments and
-- defining the functions of the other scripts takes as long as the whole of this one.
--
-- KEYS      the token
-- ARGV[1]   now_ms        as in context.lua, like all of these
-- ARGV[2]   tolerance_ms  '' with a manual clock
-- ARGV[3]   prefix
-- ARGV[4]   hash_tag
-- ARGV[5]   channel       that of the event
-- ARGV[6]   max_events
-- ARGV[7]   event_ttl_ms
-- ARGV[8]   grace_ms
-- ARGV[9]   retention_ms
-- ARGV[10…] The script's own arguments; the head of each script lists them.
local token, now_ms = KEYS[1], tonumber(ARGV[1])
local named = ':{' .. ARGV[4] .. '}:'

-- PERMISSIONS: scripts.rs replaces this mark with a check that the Redis user may run every command of the script.

-- As in context.lua.
if ARGV[2] ~= '' then
  local time = redis.call('TIME')
  local ahead_ms = now_ms - (time[1] * 1000 + math.floor(time[2] / 1000))
  if math.abs(ahead_ms) > tonumber(ARGV[2]) then
    return redis.error_reply('DWCLOCK ' .. string.format('%.0f', ahead_ms))
  end
end

