-- Writes the report of a node about itself, or removes it.
-- Why a script: a first report removes those that are out of date, so their number is bounded. A later one looks at no other.
-- KEYS     the reports
-- ARGV[2]  id       random name of the node
--          kept_ms  how long a report is kept
--          max      the most reports
-- ARGV[3]  the report; empty to remove it
-- Returns nothing.
local REPORTS = key('m', 'nodes')
if ARGV[3] == '' then
  redis.call('HDEL', REPORTS, a.id)
  return
end
local is_first = redis.call('HSET', REPORTS, a.id, string.format('%013.0f', now_ms) .. ARGV[3]) == 1
redis.call('PEXPIRE', REPORTS, a.kept_ms)
if not is_first then return end
local all, kept = redis.call('HGETALL', REPORTS), {}
for i = 1, #all, 2 do
  local reported_ms = tonumber(string.sub(all[i + 1], 1, 13))
  if reported_ms and now_ms < reported_ms + a.kept_ms then
    kept[#kept + 1] = {reported_ms, all[i]}
  else
    redis.call('HDEL', REPORTS, all[i])
  end
end
table.sort(kept, function(x, y) return x[1] < y[1] or (x[1] == y[1] and x[2] < y[2]) end)
for i = 1, #kept - a.max do
  redis.call('HDEL', REPORTS, kept[i][2])
end
