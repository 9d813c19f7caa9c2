  -- What user_index.lua and index_entries.lua need. They follow in the branch that needs them, because a function takes time
  -- wherever it is defined.
  local ctx = { grace_ms = tonumber(ARGV[8]), retention_ms = tonumber(ARGV[9]) }
  local function key(kind, name) return ARGV[3] .. kind .. named .. name end
