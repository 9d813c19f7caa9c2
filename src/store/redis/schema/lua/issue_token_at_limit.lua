-- Issues a token to a user who may be at a limit.
-- Why a script: the token and its index entry appear together, and the limit per user holds under concurrent logins.
-- KEYS     the token
-- ARGV[2]  user
--          new   the token, see shared/issuing.lua
-- ARGV[3…] the fields of the token's hash
-- Returns {1, locators of the tokens revoked to make room}; {0} if the user has too many and none may be revoked, {2} if the
-- user is locked.
local made_room = issue(a.user, a.new, { unpack(ARGV, 3) })
if made_room.err then return made_room end
if made_room.locked then return { 2 } end
if made_room.full then return { 0 } end
return finish({ 1, made_room })
