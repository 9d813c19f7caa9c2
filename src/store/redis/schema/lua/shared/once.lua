-- Makes a script run once for requests of the same name (Idempotency-Key). Needs events.lua. Only the variants of scripts for
-- requests with a name have it, so that the others cost nothing more.
--
-- `a.once` is the request: name, made (the id of the token that the script makes, or ''), ttl_ms (how long it is remembered).
-- The script returns {9} if it was run for the request before.
local done = key('j', a.once.name)
if redis.call('EXISTS', done) == 1 then return { 9 } end

-- A script finishes only if it has changed something.
local finish_always = finish
local function finish(answer)
  redis.call('SET', done, a.once.made, 'PX', decimal(a.once.ttl_ms))
  return finish_always(answer)
end
