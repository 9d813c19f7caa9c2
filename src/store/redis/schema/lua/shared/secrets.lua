-- A token's secrets, replaced and compared; model/token/rotation.rs has the same rules. Needs `now_ms` only.
--
-- Field p has the secrets besides the current one, oldest first. A sibling of the current secret has the deadline 0 and is
-- good until a rotation opens the next window. Any other secret was rotated out: it is good until its deadline, and is then
-- remembered, so that reuse can be told from a forged secret.
local SECRET_HASH_BYTES, SIBLING = 16, 0

-- Returns the secrets in a field p as {{hash, deadline_ms}, ...}; nil if it is corrupt.
local function previous_secrets(packed)
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

local function is_sibling(secret) return secret.deadline_ms == SIBLING end

local function is_remembered(secret) return not is_sibling(secret) and secret.deadline_ms <= now_ms end

local function count(secrets, wanted)
  local found = 0
  for _, secret in ipairs(secrets) do
    if wanted(secret) then found = found + 1 end
  end
  return found
end

-- Returns the next field p of a token whose secret `current` is replaced now; `by` has grace_ms, max_siblings and
-- max_remembered. Returns false if it must not be replaced, because one window hands out a limited number of secrets; nil if
-- field p, `packed`, is corrupt.
local function rotated_out(packed, current, by)
  local secrets = previous_secrets(packed)
  if not secrets then return nil end
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
  return table.concat(kept)
end
