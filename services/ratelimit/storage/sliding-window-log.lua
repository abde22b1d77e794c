-- Exact sliding-window log: decides a batch of checks, each by itself, in order, all at one time.
--
-- KEYS[i]                   sorted set of check i: one member per unit taken, its score the time in epoch µs
-- ARGV[3i-2], [3i-1], [3i]  check i's cost (1 to limit), limit, and window in µs
-- Reply                     flat, four a check: allowed (1 or 0), remaining, reset in epoch µs, retry-after in µs;
--                           or -1, error text, 0, 0 where the key cannot be read (it holds another type)
--
-- A unit taken at t counts while now < t + window. A denied check only reads. sliding-window-log.ts is the same in
-- TypeScript, and the reference; the checks of a batch may share a key. Needs Redis 5 or newer (effects replication).
--
-- Members are sequence numbers of fixed width: equal scores sort by member, so the last member is always the newest,
-- and a short integer takes 4 bytes of a listpack. The sequence starts again whenever nothing is left alive, so only
-- a key never idle for 9 million units gets to its end; its live members are then numbered anew from the start.

local FIRST_MEMBER, LAST_MEMBER = 1000000, 9999999
-- Lua's unpack takes some 8,000 values; ZADD takes two a member.
local MEMBERS_PER_ZADD = 500
-- Redis expires by its own clock, in ms: the slack keeps a key at least as long as its newest unit lives.
local EXPIRY_SLACK_MS = 1000

local time = redis.call('TIME')
local clock = time[1] * 1000000 + time[2]

-- Lua prints numbers with 14 digits, times have 16.
local function exact(number)
  return string.format('%.0f', number)
end

local function append(key, score, member, count)
  while count > 0 do
    local added = math.min(count, MEMBERS_PER_ZADD)
    local pairs_of_chunk = {}
    for i = 1, added do
      pairs_of_chunk[2 * i - 1] = score
      pairs_of_chunk[2 * i] = member + i - 1
    end
    redis.call('ZADD', key, unpack(pairs_of_chunk))
    member = member + added
    count = count - added
  end
end

-- Numbers all members anew, in their order; returns the next number.
local function renumber(key)
  local entries = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  redis.call('DEL', key)
  local member = FIRST_MEMBER
  for i = 2, #entries, 2 do
    redis.call('ZADD', key, entries[i], member)
    member = member + 1
  end
  return member
end

local function take(key, cost, limit, window)
  local newest = redis.pcall('ZRANGE', key, -1, -1, 'WITHSCORES')
  if newest.err then
    return -1, newest.err, 0, 0
  end

  local now, live, member = clock, 0, FIRST_MEMBER
  if newest[1] then
    local newest_time = tonumber(newest[2])
    -- A clock that was set back must not make time run backwards for this key.
    now = math.max(clock, newest_time)
    local dead_until = exact(now - window)
    -- A listpack is counted entry by entry, so the few dead, at its beginning, rather than the many alive.
    local dead = redis.call('ZCOUNT', key, '-inf', dead_until)
    live = redis.call('ZCARD', key) - dead

    if live + cost > limit then
      -- So many of the oldest live units have to die before the cost has room.
      local at = dead + live + cost - limit - 1
      local dying = redis.call('ZRANGE', key, at, at, 'WITHSCORES')
      return 0, math.max(0, limit - live), newest_time + window, tonumber(dying[2]) + window - clock
    end

    if dead > 0 then
      redis.call('ZREMRANGEBYSCORE', key, '-inf', dead_until)
    end
    if live > 0 then
      member = tonumber(newest[1]) + 1
      if member + cost - 1 > LAST_MEMBER then
        member = renumber(key)
      end
    end
  end

  append(key, exact(now), member, cost)
  redis.call('PEXPIRE', key, math.ceil((now + window - clock) / 1000) + EXPIRY_SLACK_MS)
  return 1, limit - live - cost, now + window, 0
end

local reply = {}
for i = 1, #KEYS do
  local cost, limit, window = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local at = 4 * i
  reply[at - 3], reply[at - 2], reply[at - 1], reply[at] = take(KEYS[i], cost, limit, window)
end
return reply
