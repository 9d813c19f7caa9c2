-- Shared by the scripts about device keys; put after the prelude.
--
-- The map names a user's device keys: <uuid> -> <locator, 14 characters><until when the key is kept, ms>. It lives exactly
-- as long as the longest-lived of them.

local LOCATOR = 14

local function split_entry(entry)
  return string.sub(entry, 1, LOCATOR), tonumber(string.sub(entry, LOCATOR + 1))
end

local function forget_device(user, uuid, locator)
  redis.call('UNLINK', key('d', locator))
  redis.call('HDEL', key('k', user), uuid)
end

-- Forgets what is past its time: a late login must not revive what no listing can see. Gives the others' locators by uuid,
-- and how many they are; or nil, nil and the error that the map is corrupt.
local function devices_of(user)
  local map, kept, count = key('k', user), {}, 0
  local entries = redis.call('HGETALL', map)
  for at = 1, #entries, 2 do
    local uuid = entries[at]
    local locator, expires_at = split_entry(entries[at + 1])
    if not expires_at then return nil, nil, corrupt(map, 'entry') end
    if expires_at <= now or redis.call('EXISTS', key('d', locator)) == 0 then
      forget_device(user, uuid, locator)
    else
      kept[uuid], count = locator, count + 1
    end
  end
  return kept, count
end

local function fit_map_ttl(user)
  local last = 0
  for _, entry in ipairs(redis.call('HVALS', key('k', user))) do
    local _, expires_at = split_entry(entry)
    last = math.max(last, expires_at)
  end
  if last > now then redis.call('PEXPIRE', key('k', user), last - now) end
end

-- The device key is kept until then, and the map knows it.
local function keep_device(user, uuid, locator, expires_at)
  redis.call('PEXPIRE', key('d', locator), expires_at - now)
  redis.call('HSET', key('k', user), uuid, locator .. decimal(expires_at))
  fit_map_ttl(user)
end

-- Ends the tokens that it logged in. Gives what end_tokens gives.
local function end_logged_in(user, uuid)
  return end_tokens(user, 'device', function(locator)
    return redis.call('HGET', key('t', locator), 'd') == uuid
  end)
end

