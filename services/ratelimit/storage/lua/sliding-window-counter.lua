-- SLIDING_WINDOW_COUNTER: sliding-window-counter.ts in Lua, over a string of cmsgpack: tag, width of a part in µs, time
-- of the newest take, then units by part, from that of the newest take back.

-- One byte, 0xff, that begins no text.
local TAG = -1
local PARTS = 10

local function width_of(spec)
  return math.ceil(spec.window / PARTS)
end

-- When a part is dead.
local function end_of(part, spec)
  return (part + 1) * width_of(spec) - 1 + spec.window
end

-- Width, newest time, and the whole content, in which units by part begin at the fourth place.
local function read(raw)
  local content = { cmsgpack.unpack(raw) }
  if content[1] ~= TAG or content[3] < 0 or content[2] < 1 then
    error('not a sliding-window counter', 0)
  end
  return content[2], content[3], content
end

local function write(key, now, counts, spec)
  local last = PARTS + 1
  while last > 1 and counts[last] == 0 do
    last = last - 1
  end
  local width = width_of(spec)
  local dead = end_of(math.floor(now / width), spec)
  call('SET', key, cmsgpack.pack(TAG, width, now, unpack(counts, 1, last)), 'PX', lifetime(dead))
  return dead
end

-- What counts now: the time, units by part from that of now back, all units, the number of the newest part.
local function view(raw, spec)
  local width, window = width_of(spec), spec.window
  local counts, live = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 0
  if not raw then
    return clock, counts, 0, math.floor(clock / width)
  end
  local old_width, newest_time, content = read(raw)
  local now = newest_time > clock and newest_time or clock
  local newest = math.floor(now / width)
  -- The first part that is alive: (part + 1) * width - 1 + window > now.
  local oldest = math.floor((now + 1 - window) / width)
  local part = math.floor(newest_time / old_width)
  for i = 4, #content do
    local moved = part
    if old_width ~= width then
      moved = math.floor(math.min((part + 1) * old_width - 1, now) / width)
    end
    if moved >= oldest then
      local back = newest - moved + 1
      counts[back] = counts[back] + content[i]
      live = live + content[i]
    end
    part = part - 1
  end
  return now, counts, live, newest
end

local function look(key, cost, spec)
  local limit = spec.limit
  local now, counts, live, newest = view(call('GET', key), spec)
  local reset = clock
  if live > 0 then
    local back = 1
    while counts[back] == 0 do
      back = back + 1
    end
    reset = end_of(newest - back + 1, spec)
  end
  if live + cost <= limit then
    return 1, limit - live, reset, 0, now, counts, live
  end
  local excess, back = live + cost - limit, PARTS + 1
  local gone = counts[back]
  while gone < excess do
    back = back - 1
    gone = gone + counts[back]
  end
  return 0, math.max(0, limit - live), reset, end_of(newest - back + 1, spec) - clock
end

local function take(key, cost, spec, _, now, counts, live)
  counts[1] = counts[1] + cost
  return spec.limit - live - cost, write(key, now, counts, spec)
end

if deciding then
  return { look = look, take = take }
end

local function refund(key, cost, spec, reset)
  local raw = call('GET', key)
  if not raw then
    return 0
  end
  local width, newest_time, content = read(raw)
  -- By the first µs of the part that the take was in: edits can only have moved its units to a later one.
  local part = math.floor((reset - spec.window - (width_of(spec) - 1)) / width)
  local at = 4 + math.floor(newest_time / width) - part
  local count = at >= 4 and content[at] or 0
  if count == 0 or (part + 1) * width - 1 + spec.window <= math.max(clock, newest_time) then
    return 0
  end
  local given = math.min(cost, count)
  content[at] = count - given
  overwrite(key, cmsgpack.pack(unpack(content)), spec)
  return given
end

-- Values: age and units, in pairs.
local function settle(key, spec, values)
  local now, counts, _, newest = view(call('GET', key), spec)
  local settled = false
  for i = 1, #values, 2 do
    local part = math.floor((now - math.max(0, values[i])) / width_of(spec))
    if end_of(part, spec) > now then
      local back = newest - part + 1
      counts[back] = counts[back] + values[i + 1]
      settled = true
    end
  end
  if settled then
    write(key, now, counts, spec)
  end
end

return { refund = refund, settle = settle }
