-- Why a script: a key and the tokens it logged in end in one step, so that no login is in between.
-- ARGV[2]  user, uuid
-- Gives {} when there is none, else {locators of the tokens it ended}.
-- Fails, before anything is written, where the index is of another type.
redis.call('ZCARD', key('u', a.user))
local kept, _, broken = devices_of(a.user)
if broken then return broken end
if not kept[a.uuid] then return {} end
forget_device(a.user, a.uuid, kept[a.uuid])
fit_map_ttl(a.user)
emit(a.user, { k = 'device.ended', d = a.uuid })
local ended = end_logged_in(a.user, a.uuid)
-- With a corrupt token all others have ended.
if ended.err then return finish(ended) end
return finish({ ended })
