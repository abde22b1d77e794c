-- TOKEN_BUCKET: token-bucket.ts and refill-span.ts in Lua, over a string of cmsgpack: tag, time of the last take, what
-- is owed as of then (whole µs, then parts of 1 / limit µs), and the limit and window that this was written with.
-- A span of time is two numbers here: whole µs, and parts.

-- One byte, 0xfe, that begins no text.
local TAG = -2
local LONGEST_MICROS = 1e15
local MAX_UNITS = 1e9
local MAX_WINDOW_MICROS = 400 * 86400 * 1000000
-- Factors of 10^9 are multiplied in halves of 15 bits: each product stays below 2^53.
local HALF = 32768

-- How long units take to refill.
local function refill_span(units, limit, window)
  local each = math.floor(window / limit)
  local rest = window - each * limit
  if units * each >= LONGEST_MICROS then
    return LONGEST_MICROS, 0
  elseif rest == 0 then
    return units * each, 0
  end
  local high = math.floor(units / HALF)
  local high_product = high * rest
  local high_whole = math.floor(high_product / limit)
  local sum = (high_product - high_whole * limit) * HALF + (units - high * HALF) * rest
  local sum_whole = math.floor(sum / limit)
  return units * each + high_whole * HALF + sum_whole, sum - sum_whole * limit
end

local function is_shorter(whole, part, other_whole, other_part)
  return whole < other_whole or (whole == other_whole and part < other_part)
end

local function shorter(whole, part, other_whole, other_part)
  if is_shorter(other_whole, other_part, whole, part) then
    return other_whole, other_part
  end
  return whole, part
end

local function add(whole, part, more_whole, more_part, limit)
  whole, part = whole + more_whole, part + more_part
  if part >= limit then
    return whole + 1, part - limit
  end
  return whole, part
end

local function subtract(whole, part, less_whole, less_part, limit)
  whole, part = whole - less_whole, part - less_part
  if part < 0 then
    return whole - 1, part + limit
  end
  return whole, part
end

local function ceil_span(whole, part)
  return part > 0 and whole + 1 or whole
end

-- How many units refill in a span that ends with a whole unit; above `most` it only tells that it is more.
local function units_owed(whole, part, most, limit, window)
  if whole == 0 and part == 0 then
    return 0
  end
  -- Doubles are wrong by far less than one unit here, so that one step to either side makes it exact.
  local estimate = math.ceil((whole + part / limit) * limit / window)
  if estimate > most + 1 then
    return most + 1
  end
  local at_whole, at_part = refill_span(estimate, limit, window)
  if is_shorter(at_whole, at_part, whole, part) then
    return estimate + 1
  end
  at_whole, at_part = refill_span(estimate - 1, limit, window)
  if is_shorter(at_whole, at_part, whole, part) then
    return estimate
  end
  return estimate - 1
end

-- Now, what is owed now (whole, part), and the limit and window that it was written with.
local function read(raw, spec)
  if not raw then
    return clock, 0, 0, spec.limit, spec.window
  end
  local tag, at, whole, part, old_limit, old_window = cmsgpack.unpack(raw)
  if tag ~= TAG or old_limit < 1 or old_window < 1 then
    error('not a token bucket', 0)
  end
  local now = at > clock and at or clock
  whole = whole - (now - at)
  if whole < 0 then
    return now, 0, 0, old_limit, old_window
  elseif (old_limit ~= spec.limit or old_window ~= spec.window) and (whole > 0 or part > 0) then
    local micros = whole + part / old_limit
    local carried = math.ceil(micros * (old_limit / old_window) * (spec.window / spec.limit))
    return now, math.min(carried, MAX_WINDOW_MICROS), 0, old_limit, old_window
  end
  return now, whole, part, old_limit, old_window
end

local function packed(now, whole, part, spec)
  return cmsgpack.pack(TAG, now, whole, part, spec.limit, spec.window)
end

local function look(key, cost, spec)
  local limit, window, burst = spec.limit, spec.window, tonumber(spec.burst)
  local now, whole, part = read(call('GET', key), spec)
  local used = units_owed(whole, part, burst, limit, window)
  local reset = used > 0 and now + ceil_span(whole, part) or clock
  if used + cost <= burst then
    return 1, burst - used, reset, 0, now, whole, part, used
  end
  local room_whole, room_part = refill_span(burst - cost, limit, window)
  local wait = ceil_span(subtract(whole, part, room_whole, room_part, limit))
  return 0, math.max(0, burst - used), reset, now + wait - clock
end

local function take(key, cost, spec, _, now, whole, part, used)
  local limit, window = spec.limit, spec.window
  local cost_whole, cost_part = refill_span(cost, limit, window)
  whole, part = add(whole, part, cost_whole, cost_part, limit)
  local dead = now + ceil_span(whole, part)
  call('SET', key, packed(now, whole, part, spec), 'PX', lifetime(dead))
  return spec.burst - used - cost, dead
end

if deciding then
  return { look = look, take = take }
end

local function refund(key, cost, spec, reset)
  local limit, window = spec.limit, spec.window
  local raw = call('GET', key)
  local now, whole, part, old_limit, old_window = read(raw, spec)
  local left = reset - now
  if not raw or old_limit ~= limit or old_window ~= window or left <= 0 then
    return 0
  end
  local given, given_part = refill_span(cost, limit, window)
  given, given_part = shorter(given, given_part, whole, part)
  if window % limit == 0 then
    given, given_part = shorter(given, given_part, left, 0)
  else
    -- `reset` was rounded up: the least that it can have been.
    given, given_part = shorter(given, given_part, left - 1, 1)
  end
  whole, part = subtract(whole, part, given, given_part, limit)
  overwrite(key, packed(now, whole, part, spec), spec)
  return math.floor((given + given_part / limit) * limit / window + 0.5)
end

-- Values: units still to be refilled.
local function settle(key, spec, values)
  local now, whole, part = read(call('GET', key), spec)
  for i = 1, #values do
    local units = math.min(MAX_UNITS, math.ceil(values[i]))
    local more_whole, more_part = refill_span(units, spec.limit, spec.window)
    whole, part = add(whole, part, more_whole, more_part, spec.limit)
    whole, part = shorter(whole, part, MAX_WINDOW_MICROS, 0)
  end
  if whole > 0 or part > 0 then
    call('SET', key, packed(now, whole, part, spec), 'PX', lifetime(now + ceil_span(whole, part)))
  end
end

return { refund = refund, settle = settle }
