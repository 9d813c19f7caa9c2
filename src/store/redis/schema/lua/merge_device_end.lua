-- Deactivates or removes a device key whose end a node remembers.
-- Why a script: a key that is not there must not be created active by the next node, so the check and the trace are one step.
-- KEYS     the device key
-- ARGV[2]  locator
--          version_ms  the version in which it was deactivated; absent: it was removed
--          trace_ms    how long a trace is kept
-- Returns 1 if the key was there and not known to have ended, else 0.
local device = key('d', a.locator)
local d = redis.call('HMGET', device, 'u', 'i', 'f', 'm', 'c')
local user, uuid, flags = d[1], d[2], tonumber(d[3])
if not a.version_ms then
  leave_trace(a.locator, '')
  if not user or not uuid then return 0 end
  local entry = redis.call('HGET', key('k', user), uuid)
  if entry and split_entry(entry) == a.locator then redis.call('HDEL', key('k', user), uuid) end
  redis.call('UNLINK', device)
  local err, kept = prune_devices(user, true)
  if err then return err end
  fit_map_ttl(user, kept)
  return 1
end
if not user then
  local trace = redis.call('GET', key('q', a.locator))
  local known_ms = trace == '' and math.huge or tonumber(trace) or 0
  if a.version_ms > known_ms then leave_trace(a.locator, decimal(a.version_ms)) end
  return 0
end
if not flags then return corrupt(device, 'f') end
if (tonumber(d[4]) or tonumber(d[5]) or 0) >= a.version_ms then return 0 end
redis.call('HSET', device, 'f', decimal(bit.band(flags, bit.bnot(ACTIVE))), 'm', decimal(a.version_ms))
return 1
