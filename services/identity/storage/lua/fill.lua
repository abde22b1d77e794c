-- Writes entries that were read from the database, each where its permit still stands: what was revoked since the permit
-- was given out, and what a flush or a newer server has forgotten, is not written.
--
-- KEYS   permit, entry, permit, entry, ...
-- ARGV   the permits' value; how long entries are kept, in ms; the entries' values in the order of KEYS
-- reply  how many were written
local written = 0
for index = 1, #KEYS, 2 do
  if redis.call('GET', KEYS[index]) == ARGV[1] then
    redis.call('SET', KEYS[index + 1], ARGV[3 + (index - 1) / 2], 'PX', ARGV[2])
    redis.call('DEL', KEYS[index])
    written = written + 1
  end
end
return written
