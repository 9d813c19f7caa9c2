-- Device keys, dw:d, and a user's map of them, dw:k. Needs revocation.lua.
--
-- Every write goes through the whole map if it has at most SMALL entries: then no entry in it has expired, and the map lives
-- exactly as long as its longest-lived key. Of a larger map each write looks at SAMPLED_PER_WRITE entries, and the map may
-- live as long as a key that is no longer in it.

local LOCATOR_CHARS, SMALL, SAMPLED_PER_WRITE = 14, 32, 8

local function split_entry(entry)
  return string.sub(entry, 1, LOCATOR_CHARS), tonumber(string.sub(entry, LOCATOR_CHARS + 1))
end

local function purge_device(user, uuid, locator)
  redis.call('UNLINK', key('d', locator))
  redis.call('HDEL', key('k', user), uuid)
end

-- Gives the map the TTL of the longest-lived of these keys: {uuid = expires_at_ms, ...}.
local function fit_map_ttl(user, kept)
  local last_ms = 0
  for _, expires_at_ms in pairs(kept) do last_ms = math.max(last_ms, expires_at_ms) end
  if last_ms > now_ms then redis.call('PEXPIRE', key('k', user), last_ms - now_ms) end
end

-- Removes expired keys: a late login must not revive a key that no listing can see. Goes through the whole map if it is
-- small or `whole` is set, else through some entries. Returns an error if the map is corrupt; and, if it went through all
-- entries, the remaining keys as {uuid = expires_at_ms, ...}.
local function prune_devices(user, whole)
  local map, kept = key('k', user), {}
  local is_whole = whole or redis.call('HLEN', map) <= SMALL
  local entries = is_whole and redis.call('HGETALL', map)
    or redis.call('HRANDFIELD', map, SAMPLED_PER_WRITE, 'WITHVALUES')
  for at = 1, #entries, 2 do
    local locator, expires_at_ms = split_entry(entries[at + 1])
    if not expires_at_ms then return corrupt(map, 'entry') end
    if expires_at_ms <= now_ms then
      purge_device(user, entries[at], locator)
    else
      kept[entries[at]] = expires_at_ms
    end
  end
  if is_whole then return nil, kept end
end

-- Returns the locator of the user's key with this uuid, or nil; or nil and an error if the map is corrupt. Purges the entry
-- of a key that has expired or is gone.
local function locate_or_purge_device(user, uuid)
  local map = key('k', user)
  local entry = redis.call('HGET', map, uuid)
  if not entry then return nil end
  local locator, expires_at_ms = split_entry(entry)
  if not expires_at_ms then return nil, corrupt(map, 'entry') end
  if expires_at_ms > now_ms and redis.call('EXISTS', key('d', locator)) == 1 then return locator end
  purge_device(user, uuid, locator)
  return nil
end

-- Keeps a device key until then, and its entry in the map. `kept` is what prune_devices returned.
local function keep_device(user, uuid, locator, expires_at_ms, kept)
  local map, left_ms = key('k', user), expires_at_ms - now_ms
  redis.call('PEXPIRE', key('d', locator), left_ms)
  redis.call('HSET', map, uuid, locator .. decimal(expires_at_ms))
  if kept then
    kept[uuid] = expires_at_ms
    fit_map_ttl(user, kept)
  else
    redis.call('PEXPIRE', map, left_ms, 'GT')
  end
end

-- Revokes the tokens that a device key logged in, or begins to. Returns what revoke_tokens returns.
local function revoke_logged_in(user, uuid)
  return revoke_tokens(user, 'device', nil, function(t) return t.device == uuid end)
end

