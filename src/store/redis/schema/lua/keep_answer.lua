-- Keeps the answer of a request with Idempotency-Key for its repeats.
-- Why a script: of two repeats at once, the first to finish decides the answer of both.
-- KEYS     the request
-- ARGV[2]  name    the request's
--          ttl_ms  how long it is remembered
-- ARGV[3]  the digest of its body
-- ARGV[4]  its answer
-- Returns the answer that is kept.
local request, body, answer = key('i', a.name), ARGV[3], ARGV[4]
local kept = redis.call('GET', request)
if kept and #kept > #body and string.sub(kept, 1, #body) == body then return string.sub(kept, #body + 1) end
redis.call('SET', request, body .. answer, 'PX', a.ttl_ms)
return answer
