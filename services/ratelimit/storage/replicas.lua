-- A sign of life of one process, and how many have given one of late.
--
-- KEYS   sorted set: process id, and in ms the time of its last sign
-- ARGV   process id, after how many ms without a sign a process is dead
-- Reply  number of living processes, this one among them

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - ARGV[2]))
-- Of a time to come: the clock was set back, or another server's was ahead. Who lives gives the next sign in time.
redis.call('ZREMRANGEBYSCORE', KEYS[1], string.format('(%.0f', now + ARGV[2]), '+inf')
redis.call('PEXPIRE', KEYS[1], 2 * ARGV[2])
return redis.call('ZCARD', KEYS[1])
