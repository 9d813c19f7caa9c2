-- Merges a remembered device key.
-- Why a script: key and map change together, and a user has one key per uuid.
-- KEYS     the user's map of device keys
-- ARGV[2]  user, uuid, locator
--          trace_ms  how long a trace is kept
-- ARGV[3…] the fields of its hash
-- Returns 0 if nothing changed, 1 if the key was created, 2 if it was changed, 3 if it has ended.
local device, r = key('d', a.locator), by_name(ARGV, 3)
local trace = redis.call('GET', key('q', a.locator))
if trace == '' or version_of(r) <= erased_until_ms(a.user) then return 3 end
local deactivated_ms = tonumber(trace) or 0
if deactivated_ms > version_of(r) then
  r.f, r.m = decimal(bit.band(tonumber(r.f), bit.bnot(ACTIVE))), trace
end
local err, kept = prune_devices(a.user, true)
if err then return err end
fit_map_ttl(a.user, kept)
local existing
existing, err = locate_or_purge_device(a.user, a.uuid)
if err then return err end
if existing and existing ~= a.locator then return 3 end

local s, joined = by_name(redis.call('HGETALL', device), 1), {}
local is_new = next(s) == nil
if is_new then
  joined = r
elseif not (s.x and s.f and s.c) then
  return corrupt(device, 'merged')
else
  local later, earlier = by_version(s, r)
  for name, value in pairs(later) do joined[name] = value end
  -- The first login with an imported key is no new version.
  if version_of(s) == version_of(r) and joined.g and earlier.h then joined.g, joined.h = nil, earlier.h end
  joined.x = decimal(math.max(tonumber(s.x), tonumber(r.x)))
  local last_ms = math.max(tonumber(s.l) or 0, tonumber(r.l) or 0)
  if last_ms > 0 then joined.l = decimal(last_ms) end
end
local expires_at_ms = tonumber(joined.x)
if expires_at_ms <= now_ms then return 0 end
local is_changed = write_fields(device, joined, s)
if is_changed then keep_device(a.user, a.uuid, a.locator, expires_at_ms, kept) end
return is_new and 1 or (is_changed and 2 or 0)
