-- Finds the permissions that the Redis user lacks. Runs alone, without shared/context.lua.
-- Why a script: redis.acl_check_cmd exists only in scripts, and needs no permission of its own.
--
-- Changes nothing. A denied command is tried only for the text of its refusal, which says whether the command, a key or the
-- channel is denied.
-- ARGV[1]  commands  names of commands whose first argument is a key
--          keys      one key of each kind
--          others    further commands: the name as ACLs write it, then its words
--          channel   channel that events are published on
-- Returns {command, 'command' or 'channel' or a key} for each missing permission.
local a = cmsgpack.unpack(ARGV[1])
local missing = {}

local function may(...)
  -- acl_check_cmd raises an error for a command that the server does not have, or has under another name.
  local is_known, answer = pcall(redis.acl_check_cmd, ...)
  return is_known and answer
end

-- Redis 8 also raises an error for a wrong number of arguments, which differs from command to command.
local function may_with_key(command, key)
  for _, count in ipairs({ 2, 1, 3, 4 }) do
    local arguments = {}
    for at = 1, count do arguments[at] = key end
    if may(command, unpack(arguments)) then return true end
  end
  return false
end

local function is_whole_command_denied(command, key)
  local arguments, refusal = {}, ''
  for _ = 1, 4 do
    table.insert(arguments, key)
    refusal = redis.pcall(command, unpack(arguments))
    refusal = type(refusal) == 'table' and refusal.err or ''
    if not string.find(string.lower(refusal), 'number of arg') then break end
  end
  return not string.find(refusal, ' key') or string.find(refusal, "run th") ~= nil
end

for _, command in ipairs(a.commands) do
  for _, key in ipairs(a.keys) do
    if not may_with_key(command, key) then
      if is_whole_command_denied(command, key) then
        table.insert(missing, { command, 'command' })
        break
      end
      table.insert(missing, { command, key })
    end
  end
end
if not may('PUBLISH', a.channel, '') then
  local refusal = redis.pcall('PUBLISH', a.channel, '').err
  table.insert(missing, { 'PUBLISH', string.find(refusal, 'channel') and 'channel' or 'command' })
end
-- No script runs SUBSCRIBE, so its refusal proves nothing; but the check works without a channel.
if not may('SUBSCRIBE', a.channel) then
  table.insert(missing, { 'SUBSCRIBE', may('SUBSCRIBE') and 'channel' or 'command' })
end
for _, command in ipairs(a.others) do
  if not may(unpack(command, 2)) then table.insert(missing, { command[1], 'command' }) end
end
return missing
