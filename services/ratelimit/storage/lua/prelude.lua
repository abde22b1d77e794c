-- Begins every script: the time, and what a limit is. scripts.ts puts the scripts together.
--
-- All times are integer µs since the epoch, all numbers are integers below 2^53: Redis and cmsgpack take such Lua
-- numbers exactly, but Lua itself prints 14 digits only. Needs Redis 5 or newer (effects replication).

local call = redis.call
local time = redis.call('TIME')
local clock = time[1] * 1000000 + time[2]

-- Redis expires by its own clock, in ms: the slack keeps a key at least as long as it holds what counts.
local EXPIRY_SLACK_MS = 1000

-- ms until a key may expire that is dead at the given time.
local function lifetime(dead)
  return math.ceil((dead - clock) / 1000) + EXPIRY_SLACK_MS
end

-- Sets the content of a key that is there, and leaves when it expires.
local function overwrite(key, value, spec)
  local left = call('PTTL', key)
  if left < 0 then
    -- Somebody removed the expiry. No key stays for ever.
    left = lifetime(clock + spec.window)
  end
  call('SET', key, value, 'PX', math.max(1, left))
end

-- The text of what pcall caught: a table where Redis 7 refused a command, else a string.
local function error_text(caught)
  return type(caught) == 'table' and caught.err or tostring(caught)
end

-- Defined after this: makes the functions of the algorithm with this code.
local load_algorithm

-- By text; and the functions of each algorithm met, by its code.
local specs = {}

-- Reads a limit as limitSpec() in scripts.ts writes it: code, limit, window in µs, burst, and `!` for a shadow.
local function parse_spec(text)
  local code, limit, window, burst, shadow = string.match(text, '^(%u)(%d+),(%d+),(%d+)(!?)$')
  local functions = specs[code] or load_algorithm(code)
  specs[code] = functions
  local spec = {
    limit = tonumber(limit),
    window = tonumber(window),
    burst = burst,
    shadow = shadow == '!',
    functions = functions,
    look = functions.look,
    take = functions.take,
  }
  specs[text] = spec
  return spec
end
