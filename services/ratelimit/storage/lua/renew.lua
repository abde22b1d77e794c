-- Lets the leases of one operation last for a whole window from now.
--
-- KEYS   one a part
-- ARGV   id (names the leases); then for each part: limit spec, cost
-- Reply  when each ends, in epoch µs; 0 where it has ended, was given back, or is no lease; error text for a part
--        whose key holds something else
--
-- An algorithm's renew(key, cost, spec, lease) gives the end; only CONCURRENCY has one.

local reply = {}
for part = 1, #KEYS do
  local at = 2 * part
  local spec = specs[ARGV[at]] or parse_spec(ARGV[at])
  reply[part] = 0
  if spec.functions.renew then
    local ok, ending = pcall(spec.functions.renew, KEYS[part], tonumber(ARGV[at + 1]), spec, ARGV[1])
    reply[part] = ok and ending or error_text(ending)
  end
end
return reply
