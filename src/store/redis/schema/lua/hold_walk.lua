-- Takes or prolongs the lease of the walk over all tokens, and adds the steps of its holder to the cut-offs.
-- Why a script: only the holder of the lease counts steps, and only for a cut-off that was not moved or removed meanwhile.
-- KEYS     the cut-offs
-- ARGV[2]  walker    random name of the node
--          lease_ms  TTL of the lease
--          steps     {name, before_ms, scanned in this walk, newly revoked, whether the walk is finished} each
-- Returns all cut-offs as names and packed entries; nil if another node holds the lease.
local lease = key('m', 'walk')
local holder = redis.call('GET', lease)
if holder and holder ~= a.walker then return nil end
redis.call('SET', lease, a.walker, 'PX', a.lease_ms)
for _, step in ipairs(a.steps) do
  local entry = read_cutoff(step[1])
  if entry and entry[1] == step[2] then
    entry[3], entry[4] = step[3], entry[4] + step[4]
    if step[5] then entry[5] = now_ms end
    redis.call('HSET', CUTOFFS, step[1], cmsgpack.pack(entry))
  end
end
return redis.call('HGETALL', CUTOFFS)
