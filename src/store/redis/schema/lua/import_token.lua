-- Imports a token, unless it is there already. Revokes no other token for it.
-- Why a script: the token and its index entry appear together, and of two imports of a token at once one finds the other's.
-- KEYS     the token
-- ARGV[2]  user
--          new   the token, see shared/issuing.lua
--          dry   true: only says what would happen
-- ARGV[3…] the fields of the token's hash
-- Returns {1} if the token was imported; {0} if the user has too many; {3} if the user is locked; {2, field i} of a token that
-- is there already, revoked or not.
local _, err = load_or_purge(a.new.locator, true)
if err then return err end
local terms = redis.call('HGET', key('t', a.new.locator), 'i')
if terms then return { 2, terms } end
if a.dry then
  if is_locked(a.user) then return { 3 } end
  local live = redis.call('ZCOUNT', key('u', a.user), '(' .. decimal(now_ms), BELOW_REVOKED)
  return { live < a.new.max and 1 or 0 }
end
local made_room = issue(a.user, a.new, { unpack(ARGV, 3) })
if made_room.err then return made_room end
if made_room.locked then return { 3 } end
if made_room.full then return { 0 } end
return finish({ 1 })
