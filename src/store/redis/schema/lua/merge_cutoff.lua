-- Sets or removes a cut-off, as a node remembers it.
-- Why a script: none moves back, and a removed one must not be set again by the next node.
-- KEYS     the cut-offs
-- ARGV[2]  name
--          before_ms, set_at_ms  its time, and when it was set; absent: this node remembers no setting
--          removed_at_ms         when it was removed before that; 0: not at all
--          trace_ms              how long a trace is kept
-- Returns 1 if the cut-off changed, else 0.
local present, packed = read_cutoff(a.name)
if not present and packed then return packed end
local removed_at_ms = math.max(tonumber(redis.call('GET', key('q', a.name))) or 0, a.removed_at_ms)
if a.removed_at_ms > 0 then leave_trace(a.name, decimal(removed_at_ms)) end
local is_removed = present and present[2] <= removed_at_ms
if is_removed then
  redis.call('HDEL', CUTOFFS, a.name)
  present = nil
end
local is_set = a.set_at_ms and a.set_at_ms > removed_at_ms and (not present or present[1] < a.before_ms)
if is_set then redis.call('HSET', CUTOFFS, a.name, cmsgpack.pack({ a.before_ms, a.set_at_ms, 0, 0, 0 })) end
return (is_set or is_removed) and 1 or 0
