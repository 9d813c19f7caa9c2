-- Shared by the scripts about device keys; put after the prelude.
--
-- The map names a user's device keys: <uuid> -> <locator, 14 characters><until when the key is kept, ms>. A map of at most
-- SMALL keys is gone through with each write: nothing in it is past its time then, and it lives exactly as long as the
-- longest-lived of its keys. Of a larger one each write looks at a SAMPLE, and the map may live as long as a key lived
-- that is not in it any more.

local LOCATOR, SMALL, SAMPLE = 14, 32, 8

local function split_entry(entry)
  return string.sub(entry, 1, LOCATOR), tonumber(string.sub(entry, LOCATOR + 1))
end

local function forget_device(user, uuid, locator)
  redis.call('UNLINK', key('d', locator))
  redis.call('HDEL', key('k', user), uuid)
end

-- The map lives as long as the longest-lived of these keys, by when they expire.
local function fit_map_ttl(user, kept)
  local last = 0
  for _, expires_at in pairs(kept) do last = math.max(last, expires_at) end
  if last > now then redis.call('PEXPIRE', key('k', user), last - now) end
end

-- Removes keys that are past their time: a late login must not revive a key that no listing can see. Goes through all if
-- there are few or `whole`, else through some. Gives the error that the map is corrupt, if it is; and when all others
-- expire, by uuid, if it went through all.
local function tidy_devices(user, whole)
  local map, kept = key('k', user), {}
  local is_whole = whole or redis.call('HLEN', map) <= SMALL
  local entries = is_whole and redis.call('HGETALL', map) or redis.call('HRANDFIELD', map, SAMPLE, 'WITHVALUES')
  for at = 1, #entries, 2 do
    local locator, expires_at = split_entry(entries[at + 1])
    if not expires_at then return corrupt(map, 'entry') end
    if expires_at <= now then
      forget_device(user, entries[at], locator)
    else
      kept[entries[at]] = expires_at
    end
  end
  if is_whole then return nil, kept end
end

-- The locator of the user's key of this uuid, nil if there is none; or nil and the error that the map is corrupt.
local function find_device(user, uuid)
  local map = key('k', user)
  local entry = redis.call('HGET', map, uuid)
  if not entry then return nil end
  local locator, expires_at = split_entry(entry)
  if not expires_at then return nil, corrupt(map, 'entry') end
  if expires_at > now and redis.call('EXISTS', key('d', locator)) == 1 then return locator end
  forget_device(user, uuid, locator)
  return nil
end

-- The device key is kept until then, and the map knows it. `kept` is what tidy_devices gave.
local function keep_device(user, uuid, locator, expires_at, kept)
  local map, ttl = key('k', user), expires_at - now
  redis.call('PEXPIRE', key('d', locator), ttl)
  redis.call('HSET', map, uuid, locator .. decimal(expires_at))
  if kept then
    kept[uuid] = expires_at
    fit_map_ttl(user, kept)
  else
    redis.call('PEXPIRE', map, ttl, 'GT')
  end
end

-- Revokes the tokens that it logged in, or begins to. Gives what end_tokens gives.
local function end_logged_in(user, uuid)
  return end_tokens(user, 'device', nil, function(t) return t.device == uuid end)
end

