-- FIXED_WINDOW: fixed-window.ts in Lua, over a string of cmsgpack: tag, time of the newest take, how long before it the
-- window began that the count began in, and the count.

-- One byte, 0xfd, that begins no text.
local TAG = -3

local function end_of(micros, window)
  return (math.floor(micros / window) + 1) * window
end

-- Now, and how long before it the count began, the count, and the time of the newest take.
local function read(raw)
  local tag, newest, since, count = cmsgpack.unpack(raw)
  if tag ~= TAG or since < 0 or count < 0 then
    error('not a fixed window', 0)
  end
  return newest > clock and newest or clock, newest - since, count, newest
end

-- Now, what counts now, and when the count began; that is nil where it is to begin anew.
local function view(raw, window)
  if not raw then
    return clock, 0, nil
  end
  local now, begun, count, newest = read(raw)
  if end_of(newest, window) == end_of(now, window) then
    return now, count, begun, newest
  end
  return now, 0, nil
end

local function write(key, now, count, begun, window)
  local dead = end_of(now, window)
  local since = now - (begun or dead - window)
  call('SET', key, cmsgpack.pack(TAG, now, since, count), 'PX', lifetime(dead))
  return dead
end

local function look(key, cost, spec)
  local limit, window = spec.limit, spec.window
  local now, count, begun = view(call('GET', key), window)
  local dead = end_of(now, window)
  local reset = count > 0 and dead or clock
  if count + cost <= limit then
    return 1, limit - count, reset, 0, now, count, begun
  end
  return 0, math.max(0, limit - count), reset, dead - clock
end

local function take(key, cost, spec, _, now, count, begun)
  return spec.limit - count - cost, write(key, now, count + cost, begun, spec.window)
end

if deciding then
  return { look = look, take = take }
end

local function refund(key, cost, spec, reset)
  local raw = call('GET', key)
  if not raw then
    return 0
  end
  local now, begun, count, newest = read(raw)
  -- Of a count that began after the window of the take did, it may not be a part.
  if now >= reset or begun > reset - spec.window then
    return 0
  end
  local given = math.min(cost, count)
  overwrite(key, cmsgpack.pack(TAG, newest, newest - begun, count - given), spec)
  return given
end

-- Values: age and units, in pairs.
local function settle(key, spec, values)
  local window = spec.window
  local now, count, begun = view(call('GET', key), window)
  local units = 0
  for i = 1, #values, 2 do
    if end_of(now - math.max(0, values[i]), window) == end_of(now, window) then
      units = units + values[i + 1]
    end
  end
  if units > 0 then
    write(key, now, count + units, begun, window)
  end
end

return { refund = refund, settle = settle }
