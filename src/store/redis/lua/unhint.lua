-- Why a script: a hint that was written again meanwhile stays.
-- ARGV[2]  object   the object's name in its key
--          hints    {{the token's id, when the hint was written as it was read}, ...}
for _, hint in ipairs(a.hints) do
  if tonumber(redis.call('ZSCORE', key('r', a.object), hint[1])) == hint[2] then
    redis.call('ZREM', key('r', a.object), hint[1])
  end
end
return 0
