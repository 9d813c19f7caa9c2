-- Shared by the scripts that replace or compare a token's secret; put after the prelude. token/rotation.rs has the same rules.
--
-- Field p of a token has its secrets besides the present one, oldest first: 16 bytes of hash and 13 digits of a deadline (ms)
-- each. A sibling of the present secret has the deadline 0 and is good until a rotation opens the next window. Any other was
-- rotated out: it is good until its deadline, and then remembered, so that reuse can be told from a forged secret.
local SECRET_HASH, SIBLING = 16, 0

-- {{hash, deadline}, ...}; or nil and the error that the field is corrupt.
local function previous_secrets(locator)
  local packed, secrets = redis.call('HGET', key('t', locator), 'p') or '', {}
  for at = 1, #packed, SECRET_HASH + 13 do
    local hash = string.sub(packed, at, at + SECRET_HASH - 1)
    local deadline = tonumber(string.sub(packed, at + SECRET_HASH, at + SECRET_HASH + 12))
    if not deadline then return nil, corrupt(key('t', locator), 'p') end
    table.insert(secrets, { hash = hash, deadline = deadline })
  end
  return secrets
end

local function is_sibling(secret) return secret.deadline == SIBLING end

local function is_remembered(secret) return not is_sibling(secret) and secret.deadline <= now end

local function count(secrets, wanted)
  local found = 0
  for _, secret in ipairs(secrets) do
    if wanted(secret) then found = found + 1 end
  end
  return found
end

-- Replaces a token's secret; `by` has grace (ms), max_siblings and max_remembered. Whether it did: a window hands out only so
-- many secrets. Or nil and the error that a field is corrupt.
local function rotate(locator, hash, by)
  local token = key('t', locator)
  local secrets, broken = previous_secrets(locator)
  if broken then return nil, broken end
  local present = redis.call('HGET', token, 'h')
  if not present then return nil, corrupt(token, 'h') end
  local is_in_grace = function(secret) return secret.deadline > now end
  local is_window_open = by.grace > 0 and count(secrets, is_in_grace) > 0
  table.insert(secrets, { hash = present, deadline = SIBLING })
  if is_window_open then
    if count(secrets, is_sibling) >= by.max_siblings then return false end
  else
    for _, secret in ipairs(secrets) do
      if is_sibling(secret) then secret.deadline = now + by.grace end
    end
  end
  local surplus, kept = count(secrets, is_remembered) - by.max_remembered, {}
  for _, secret in ipairs(secrets) do
    if surplus > 0 and is_remembered(secret) then
      surplus = surplus - 1
    else
      table.insert(kept, secret.hash .. string.format('%013.0f', secret.deadline))
    end
  end
  redis.call('HSET', token, 'h', hash, 'p', table.concat(kept))
  return true
end

-- Whether a secret is remembered as rotated out; or nil and the error that a field is corrupt.
local function is_rotated_out(locator, hash)
  local secrets, broken = previous_secrets(locator)
  if broken then return nil, broken end
  return count(secrets, function(secret) return secret.hash == hash and is_remembered(secret) end) > 0
end
