-- Asks which permissions the Redis user lacks. Changes nothing: a command that is denied is tried only for the text of its
-- refusal, which says whether the command, a key or the channel is what is missing.
-- ARGV[1]  commands  those that take a key first
--          keys      one of each kind
--          others    further ones: what ACLs call it, and then its words
--          channel   where events are told
-- Gives {command, 'command' or the key or 'channel'} for each that is missing.
local a = cmsgpack.unpack(ARGV[1])
local missing = {}

local function may(...)
  -- It raises an error for a command that the server does not have, or has under another name.
  local is_known, answer = pcall(redis.acl_check_cmd, ...)
  return is_known and answer
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
    if not may(command, key, key) then
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
-- No script runs SUBSCRIBE, so its refusal says nothing; but it can be asked for without a channel.
if not may('SUBSCRIBE', a.channel) then
  table.insert(missing, { 'SUBSCRIBE', may('SUBSCRIBE') and 'channel' or 'command' })
end
for _, command in ipairs(a.others) do
  if not may(unpack(command, 2)) then table.insert(missing, { command[1], 'command' }) end
end
return missing
