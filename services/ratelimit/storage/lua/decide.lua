-- Decides asks, each by itself, in order, all at one time. Asks may share keys; the terms of one ask have a key each.
--
-- KEYS   one a term, in order of the asks
-- ARGV   an ask: its number of terms, negative where it only peeks; then for each of them two values:
--        limit spec, and cost (1 to the burst), for CONCURRENCY `<cost>:<lease>`
-- Reply  flat, four a term: 1 where it has room, 0 where not; remaining; reset in epoch µs; retry-after in µs;
--        or -1, error text, 0, 0 where the key holds something else
--
-- The enforced terms of an ask are taken if each has room; with them its shadow terms if each of those has. What isn't
-- taken is only read: neither content nor expiry changes, not even by dropping the dead. decide-terms.ts is the same.
--
-- An algorithm's look(key, cost, spec, lease) gives room, remaining, reset, retry-after, and four values that its
-- take(key, cost, spec, lease, a, b, c, d) goes on from; take gives the remaining and reset after it.

local KEYS, ARGV = KEYS, ARGV
local reply = {}

-- Makes the function that decides an ask of several terms, or one that only peeks.
local function new_decider()
  -- What is known of the terms of an ask that has several, by place in the ask.
  local term_specs, term_costs, term_leases = {}, {}, {}
  local as, bs, cs, ds = {}, {}, {}, {}

  local function look_at(key, i, at)
    local spec = specs[ARGV[at]] or parse_spec(ARGV[at])
    local cost, lease = tonumber(ARGV[at + 1]), nil
    if not cost then
      cost, lease = string.match(ARGV[at + 1], '^(%d+):(.*)$')
      cost = tonumber(cost)
    end
    local ok, room, remaining, reset, retry
    ok, room, remaining, reset, retry, as[i], bs[i], cs[i], ds[i] = pcall(spec.look, KEYS[key], cost, spec, lease)
    local place = 4 * key
    if ok then
      reply[place - 3], reply[place - 2], reply[place - 1], reply[place] = room, remaining, reset, retry
    else
      reply[place - 3], reply[place - 2], reply[place - 1], reply[place] = -1, error_text(room), 0, 0
    end
    term_specs[i], term_costs[i], term_leases[i] = spec, cost, lease
  end

  -- Takes the terms that are shadows or those that aren't, if each of them has room. Tells whether each had.
  local function take_group(shadow, first_key, terms)
    for i = 1, terms do
      if term_specs[i].shadow == shadow and reply[4 * (first_key + i) - 7] ~= 1 then
        return false
      end
    end
    for i = 1, terms do
      local spec = term_specs[i]
      if spec.shadow == shadow then
        local key = first_key + i - 1
        reply[4 * key - 2], reply[4 * key - 1] =
          spec.take(KEYS[key], term_costs[i], spec, term_leases[i], as[i], bs[i], cs[i], ds[i])
      end
    end
    return true
  end

  return function(first_key, first_value, count)
    local terms = math.abs(count)
    for i = 1, terms do
      look_at(first_key + i - 1, i, first_value + 2 * i - 1)
    end
    if count > 0 and take_group(false, first_key, terms) then
      take_group(true, first_key, terms)
    end
    return terms
  end
end

local decide_several
local key, at = 1, 1
while KEYS[key] do
  if ARGV[at] == '1' then
    -- By far the most common: no tables.
    local spec = specs[ARGV[at + 1]] or parse_spec(ARGV[at + 1])
    local cost, lease = tonumber(ARGV[at + 2]), nil
    if not cost then
      cost, lease = string.match(ARGV[at + 2], '^(%d+):(.*)$')
      cost = tonumber(cost)
    end
    local ok, room, remaining, reset, retry, a, b, c, d = pcall(spec.look, KEYS[key], cost, spec, lease)
    if not ok then
      room, remaining, reset, retry = -1, error_text(room), 0, 0
    elseif room == 1 then
      remaining, reset = spec.take(KEYS[key], cost, spec, lease, a, b, c, d)
    end
    local place = 4 * key
    reply[place - 3], reply[place - 2], reply[place - 1], reply[place] = room, remaining, reset, retry
    key, at = key + 1, at + 3
  else
    decide_several = decide_several or new_decider()
    local terms = decide_several(key, at, tonumber(ARGV[at]))
    key, at = key + terms, at + 1 + 2 * terms
  end
end
return reply
