-- Formats a number as an integer. Lua's own conversion to text loses digits of large numbers, and Redis's own conversion of
-- an argument takes several times as long.
local function decimal(number) return string.format('%d', number) end

