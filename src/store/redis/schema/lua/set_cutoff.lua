-- Sets a cut-off, or moves it to a later time.
-- Why a script: the number of cut-offs is bounded, none moves back, and the event is published in the same step.
-- KEYS     the cut-offs
-- ARGV[2]  name
--          before_ms  the time of the cut-off
--          max        the most cut-offs
-- Returns {status, packed entry}: 1 set, 2 moved, 3 set before to the same time; {4} if the present one is at a later time;
-- {5} if there are too many.
local present, packed = read_cutoff(a.name)
if not present and packed then return packed end
if present and present[1] == a.before_ms then return { 3, packed } end
if present and present[1] > a.before_ms then return { 4 } end
if not present and redis.call('HLEN', CUTOFFS) >= a.max then return { 5 } end
local entry = cmsgpack.pack({ a.before_ms, now_ms, 0, 0, 0 })
redis.call('HSET', CUTOFFS, a.name, entry)
announce_cutoff({ k = 'cutoff.set', c = a.name, x = a.before_ms })
return { present and 2 or 1, entry }
