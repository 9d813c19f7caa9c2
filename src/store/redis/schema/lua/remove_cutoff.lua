-- Removes a cut-off.
-- Why a script: the event is published in the same step.
-- KEYS     the cut-offs
-- ARGV[2]  name
--          trace_ms  how long a trace is kept (shared/traces.lua)
-- Returns 1; 0 if there was none.
if redis.call('HDEL', CUTOFFS, a.name) == 0 then return 0 end
leave_trace(a.name, decimal(now_ms))
announce_cutoff({ k = 'cutoff.removed', c = a.name })
return 1
