-- SLIDING_WINDOW_LOG: sliding-window-log.ts in Lua, over a sorted set with a member for each unit taken, its score the
-- time. What each function takes and gives: decide.lua, refund.lua, settle.lua.
--
-- Members are sequence numbers of fixed width: equal scores sort by member, so the last member is always the newest,
-- and a short integer takes 4 bytes of a listpack. The sequence starts again whenever nothing is left alive, so only
-- a key never idle for 9 million units gets to its end; its live members are then numbered anew from the start.

local FIRST_MEMBER, LAST_MEMBER = 1000000, 9999999
-- Lua's unpack takes some 8,000 values; ZADD takes two a member.
local MEMBERS_PER_ZADD = 500

-- Adds times[from] to times[to]; without a table of times, so many units of one time.
local function append(key, from, to, member, times, time_of_all)
  while from <= to do
    local last = math.min(to, from + MEMBERS_PER_ZADD - 1)
    local pairs_of_chunk = {}
    for i = from, last do
      pairs_of_chunk[#pairs_of_chunk + 1] = times and times[i] or time_of_all
      pairs_of_chunk[#pairs_of_chunk + 1] = member
      member = member + 1
    end
    call('ZADD', key, unpack(pairs_of_chunk))
    from = last + 1
  end
end

-- Drops the units up to a given time, adds those of more times, and numbers all anew. Returns the next number. There is
-- at least one unit. The key is there all the while: of a cluster's slot on its way to another node a script can't make a
-- key again that it has deleted.
local function renumber(key, micros, more)
  local entries = call('ZRANGE', key, 0, -1, 'WITHSCORES')
  local times = {}
  for i = 2, #entries, 2 do
    local time = tonumber(entries[i])
    if time > micros then
      times[#times + 1] = time
    end
  end
  for i = 1, #more do
    times[#times + 1] = more[i]
  end
  table.sort(times)
  local next_member = FIRST_MEMBER + #times
  append(key, 1, #times, FIRST_MEMBER, times)
  for i = 1, #entries, 2 do
    if tonumber(entries[i]) >= next_member then
      call('ZREM', key, entries[i])
    end
  end
  return next_member
end

local function look(key, cost, spec)
  local limit, window = spec.limit, spec.window
  local newest = call('ZRANGE', key, -1, -1, 'WITHSCORES')
  if not newest[1] then
    return 1, limit, clock, 0, clock, 0, 0, FIRST_MEMBER
  end
  local newest_time = tonumber(newest[2])
  -- A clock that was set back must not make time run backwards for this key.
  local now = newest_time > clock and newest_time or clock
  -- A listpack is counted entry by entry, so the few dead, at its beginning, rather than the many alive.
  local dead = call('ZCOUNT', key, '-inf', now - window)
  local live = call('ZCARD', key) - dead
  local reset = live > 0 and newest_time + window or clock
  if live + cost > limit then
    -- So many of the oldest live units have to die before the cost has room.
    local at = dead + live + cost - limit - 1
    local dying = call('ZRANGE', key, at, at, 'WITHSCORES')
    return 0, math.max(0, limit - live), reset, dying[2] + window - clock
  end
  return 1, limit - live, reset, 0, now, live, dead, newest[1] + 1
end

local function take(key, cost, spec, _, now, live, dead, member)
  local window = spec.window
  if dead > 0 then
    call('ZREMRANGEBYSCORE', key, '-inf', now - window)
  end
  if live == 0 then
    member = FIRST_MEMBER
  elseif member + cost - 1 > LAST_MEMBER then
    member = renumber(key, now - window, {})
  end
  if cost == 1 then
    call('ZADD', key, now, member)
  else
    append(key, 1, cost, member, nil, now)
  end
  call('PEXPIRE', key, lifetime(now + window))
  return spec.limit - live - cost, now + window
end

if deciding then
  return { look = look, take = take }
end

local function now_of(key)
  local newest = call('ZRANGE', key, -1, -1, 'WITHSCORES')
  return math.max(clock, tonumber(newest[2]) or clock)
end

local function refund(key, cost, spec, reset)
  if reset <= now_of(key) then
    return 0
  end
  local taken = reset - spec.window
  local given = math.min(cost, call('ZCOUNT', key, taken, taken))
  if given > 0 then
    local first = call('ZCOUNT', key, '-inf', taken - 1)
    call('ZREMRANGEBYRANK', key, first, first + given - 1)
  end
  return given
end

-- Values: age and units, in pairs.
local function settle(key, spec, values)
  local now, window = now_of(key), spec.window
  local more = {}
  for i = 1, #values, 2 do
    local age = math.max(0, values[i])
    for _ = 1, age < window and values[i + 1] or 0 do
      more[#more + 1] = now - age
    end
  end
  if #more > 0 then
    renumber(key, now - window, more)
    call('PEXPIRE', key, lifetime(now_of(key) + window))
  end
end

return { refund = refund, settle = settle }
