-- A token's secrets, replaced and compared; model/token/rotation.rs has the same rules. Needs tokens.lua.
--
-- Field p has the secrets besides the current one, oldest first. A sibling of the current secret has the deadline 0 and is
-- good until a rotation opens the next window. Any other secret was rotated out: it is good until its deadline, and is then
-- remembered, so that reuse can be told from a forged secret.
local SECRET_HASH_BYTES, SIBLING = 16, 0

-- Returns field p as {{hash, deadline_ms}, ...}; nil if it is corrupt.
local function unpack_secrets(packed)
  local secrets = {}
  for at = 1, #packed, SECRET_HASH_BYTES + 13 do
    local hash = string.sub(packed, at, at + SECRET_HASH_BYTES - 1)
    local deadline_ms = tonumber(string.sub(packed, at + SECRET_HASH_BYTES, at + SECRET_HASH_BYTES + 12))
    if not deadline_ms then return nil end
    table.insert(secrets, { hash = hash, deadline_ms = deadline_ms })
  end
  return secrets
end

local function pack_secret(secret) return secret.hash .. string.format('%013.0f', secret.deadline_ms) end

-- Returns {{hash, deadline_ms}, ...}; or nil and an error if the field is corrupt.
local function previous_secrets(locator)
  local secrets = unpack_secrets(redis.call('HGET', key('t', locator), 'p') or '')
  if not secrets then return nil, corrupt(key('t', locator), 'p') end
  return secrets
end

local function is_sibling(secret) return secret.deadline_ms == SIBLING end

local function is_remembered(secret) return not is_sibling(secret) and secret.deadline_ms <= now_ms end

local function count(secrets, wanted)
  local found = 0
  for _, secret in ipairs(secrets) do
    if wanted(secret) then found = found + 1 end
  end
  return found
end

-- Replaces a token's secret; `by` has grace_ms, max_siblings and max_remembered. Returns whether it did, because one window
-- hands out a limited number of secrets; or nil and an error if a field is corrupt.
local function rotate(locator, hash, by)
  local token = key('t', locator)
  local secrets, err = previous_secrets(locator)
  if err then return nil, err end
  local current = redis.call('HGET', token, 'h')
  if not current then return nil, corrupt(token, 'h') end
  local is_in_grace = function(secret) return secret.deadline_ms > now_ms end
  local is_window_open = by.grace_ms > 0 and count(secrets, is_in_grace) > 0
  table.insert(secrets, { hash = current, deadline_ms = SIBLING })
  if is_window_open then
    if count(secrets, is_sibling) >= by.max_siblings then return false end
  else
    for _, secret in ipairs(secrets) do
      if is_sibling(secret) then secret.deadline_ms = now_ms + by.grace_ms end
    end
  end
  local surplus, kept = count(secrets, is_remembered) - by.max_remembered, {}
  for _, secret in ipairs(secrets) do
    if surplus > 0 and is_remembered(secret) then
      surplus = surplus - 1
    else
      table.insert(kept, pack_secret(secret))
    end
  end
  redis.call('HSET', token, 'h', hash, 'p', table.concat(kept))
  return true
end

-- Returns whether a secret is remembered as rotated out; or nil and an error if a field is corrupt.
local function is_rotated_out(locator, hash)
  local secrets, err = previous_secrets(locator)
  if err then return nil, err end
  return count(secrets, function(secret) return secret.hash == hash and is_remembered(secret) end) > 0
end
