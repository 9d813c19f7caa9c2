-- Relates a token to an object.
-- Why a script: only a live token gets an object, once, and never too many.
-- KEYS     the token
-- ARGV[2]  locator
--          object      {content type, object id}
--          max         the most objects of a token
--          young_ms    how long a reverse-index entry is young
--          ends_at_ms  the absolute end that the object's entry reaches to
-- Returns {0} no such token, {1, its user, its fields} done; {1, its user} if it had the object before; {2} revoked, {3} too many objects, {4} the end has moved beyond the entry.
local t, err = load_or_purge(a.locator)
if err then return err end
if not t then return { 0 } end
if t.is_revoked then return { 2 } end
local terms = unpack_terms(redis.call('HGET', key('t', a.locator), 'i'))
if not terms then return corrupt(key('t', a.locator), 'i') end
if terms.ends_at_ms > a.ends_at_ms then return { 4 } end
local related, at = find_object(a.locator, a.object)
if at then return { 1, t.user } end
if #related >= a.max then return { 3 } end
table.insert(related, a.object)
write_related(a.locator, related)
update_taken(a.locator, a.object, false, a.young_ms)
return finish({ 1, t.user, redis.call('HGETALL', key('t', a.locator)) })
