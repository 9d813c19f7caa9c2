-- Why a script: the token and its index entry appear together, and the limit per user holds under concurrent
-- logins.
-- ARGV[2]  user, new: see issuing.lua; then the fields of the token's hash
-- Gives {1, locators of the tokens it ended to make room}, or {0} when the user has too many and none may be ended.
local made_room = issue(a.user, a.new, { unpack(ARGV, 3) })
if made_room.err then return made_room end
if made_room.full then return { 0 } end
return finish({ 1, made_room })
