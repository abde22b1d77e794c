-- Keeps one process's figures for ListTopLimited, and the list of the processes that have some.
--
-- KEYS[1]  sorted set: processes by when they wrote last, in ms of Redis's clock
-- KEYS[2]  the figures of this process; both keys are in one slot
-- ARGV[1]  id of the process
-- ARGV[2]  the figures
-- ARGV[3]  how long they live, in ms
-- ARGV[4]  the most processes that are listed: the newest
-- Reply    1

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - tonumber(ARGV[3])))
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[4]))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
