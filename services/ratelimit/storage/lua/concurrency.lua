-- CONCURRENCY: concurrency.ts in Lua, over a sorted set with a member `<lease>.<units>` for each lease, its score the
-- time it ends. The member `=` has minus the units of all leases, those that have ended and are still there among them,
-- as its score.

local TOTAL = '='
-- As in concurrency.ts.
local LOOK_AHEAD = 1000

local function end_of(key, member)
  return tonumber(call('ZSCORE', key, member) or 0)
end

local function units_of(member)
  return tonumber(string.match(member, '%.(%d+)$'))
end

-- Units of the leases that have ended.
local function ended_units(key)
  local units = 0
  for _, member in ipairs(call('ZRANGEBYSCORE', key, '(0', clock)) do
    units = units + units_of(member)
  end
  return units
end

local function last_end(key)
  return tonumber(call('ZRANGE', key, -1, -1, 'WITHSCORES')[2])
end

-- Units of all leases, alive or not.
local function total_of(key)
  local total = call('ZSCORE', key, TOTAL)
  if not total then
    if call('EXISTS', key) == 1 then
      error('not a set of leases', 0)
    end
    return 0
  end
  return -tonumber(total)
end

local function set_total(key, units)
  if units > 0 then
    call('ZADD', key, -units, TOTAL)
  else
    call('DEL', key)
  end
end

-- µs until so many units end; those of `own` don't count. At least: no more than LOOK_AHEAD leases are looked at.
local function wait_for(key, units, own)
  -- Each holds at least one unit, and one of them may be `own`.
  local most = math.min(units + 1, LOOK_AHEAD)
  local leases = call('ZRANGEBYSCORE', key, '(' .. string.format('%.0f', clock), '+inf', 'WITHSCORES', 'LIMIT', 0, most)
  for i = 1, #leases, 2 do
    if leases[i] ~= own then
      units = units - units_of(leases[i])
      if units <= 0 then
        return leases[i + 1] - clock
      end
    end
  end
  return leases[#leases] - clock
end

local function look(key, cost, spec, lease)
  local limit = spec.limit
  local total = total_of(key)
  if total == 0 then
    return 1, limit, clock, 0, 0, 0, 0
  end
  local own = lease .. '.' .. string.format('%.0f', cost)
  local live = total - ended_units(key)
  local others = live
  if end_of(key, own) > clock then
    others = live - cost
  end
  local remaining, reset = math.max(0, limit - live), math.max(clock, last_end(key))
  local excess = others + cost - limit
  if excess > 0 then
    return 0, remaining, reset, wait_for(key, excess, own)
  end
  return 1, remaining, reset, 0, total, live, others
end

local function take(key, cost, spec, lease, total, live, others)
  if total > live then
    call('ZREMRANGEBYSCORE', key, '(0', clock)
  end
  local ending = clock + spec.window
  call('ZADD', key, -(others + cost), TOTAL, ending, lease .. '.' .. string.format('%.0f', cost))
  -- Others may end later: the window was longer, or the clock ahead.
  local last = total > 0 and last_end(key) or ending
  call('PEXPIRE', key, lifetime(last))
  return spec.limit - others - cost, last
end

if deciding then
  return { look = look, take = take }
end

local function refund(key, cost, spec, _, lease)
  local member = lease .. '.' .. string.format('%.0f', cost)
  if end_of(key, member) <= clock then
    return 0
  end
  call('ZREM', key, member)
  set_total(key, total_of(key) - cost)
  return cost
end

local function renew(key, cost, spec, lease)
  local member = lease .. '.' .. string.format('%.0f', cost)
  if end_of(key, member) <= clock then
    return 0
  end
  local ending = clock + spec.window
  call('ZADD', key, ending, member)
  call('PEXPIRE', key, lifetime(last_end(key)))
  return ending
end

-- Values: lease, units and µs left, in threes.
local function settle(key, spec, values)
  local total = total_of(key)
  for i = 1, #values, 3 do
    local member, left = values[i] .. '.' .. values[i + 1], tonumber(values[i + 2])
    local ending = end_of(key, member)
    if left > 0 then
      if ending == 0 then
        total = total + values[i + 1]
      end
      call('ZADD', key, math.max(ending, clock + left), member)
    end
  end
  if total > 0 then
    set_total(key, total)
    call('PEXPIRE', key, lifetime(last_end(key)))
  end
end

return { refund = refund, renew = renew, settle = settle }
