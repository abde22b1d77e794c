-- Adds what was consumed elsewhere, allowed or not: keys may then hold more than their limits.
--
-- KEYS   one a limit
-- ARGV   for each: limit spec, number of values, the values, as Debt in limit-model.ts has them
-- Reply  the error text of each key that was not settled, which doesn't stop the others
--
-- An algorithm's settle(key, spec, values) gives nothing.

local failures, at = {}, 1
for key = 1, #KEYS do
  local spec = specs[ARGV[at]] or parse_spec(ARGV[at])
  local values = {}
  for i = 1, tonumber(ARGV[at + 1]) do
    local text = ARGV[at + 1 + i]
    -- A lease may look like a number; concurrency.lua reads its own.
    values[i] = spec.functions.renew and text or tonumber(text)
  end
  local ok, caught = pcall(spec.functions.settle, KEYS[key], spec, values)
  if not ok then
    failures[#failures + 1] = error_text(caught)
  end
  at = at + 2 + tonumber(ARGV[at + 1])
end
return failures
