-- Gives back what one operation took, once.
--
-- KEYS   [1] marks the id as used; then one a part of what was taken
-- ARGV   id (names the leases), how long the mark lasts in ms; then for each part: limit spec, cost, and the reset in
--        epoch µs that the take answered
-- Reply  units given back of each part; error text for a part whose key holds something else; all 0 the second time
--
-- An algorithm's refund(key, cost, spec, reset, lease) gives the units.

local reply = {}
local fresh = call('SET', KEYS[1], 1, 'PX', ARGV[2], 'NX')
for part = 1, #KEYS - 1 do
  reply[part] = 0
  if fresh then
    local at = 3 * part
    local spec = specs[ARGV[at]] or parse_spec(ARGV[at])
    local ok, units =
      pcall(spec.functions.refund, KEYS[part + 1], tonumber(ARGV[at + 1]), spec, tonumber(ARGV[at + 2]), ARGV[1])
    reply[part] = ok and units or error_text(units)
  end
end
return reply
