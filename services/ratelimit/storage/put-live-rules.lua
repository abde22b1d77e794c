-- Puts the live rules in the place of those that are kept, unless these are not the ones they were made from.
--
-- KEYS[1]  the hash of the live rules: field `revision`, `<number>.<16 hex digits>`, and field `document`
-- ARGV[1]  the revision that the new rules were made from
-- ARGV[2]  their own revision
-- ARGV[3]  the new document
-- ARGV[4]  the channel that tells of it
--
-- Reply: 1, or 0 where the rules kept are of another, later revision: nothing has changed then.
--
-- No rules at all, or some of a lower number than the caller knew, are what a flush or a failover has left: they give
-- way.
local kept = redis.call('HGET', KEYS[1], 'revision')
if kept and kept ~= ARGV[1] then
  local number = tonumber(string.match(kept, '^(%d+)%.'))
  if number and number >= tonumber(string.match(ARGV[1], '^(%d+)%.') or -1) then
    return 0
  end
end
redis.call('HSET', KEYS[1], 'revision', ARGV[2], 'document', ARGV[3])
-- Replicas look by themselves too, so a right that is missing for the channel must not undo the change.
redis.pcall('PUBLISH', ARGV[4], ARGV[2])
return 1
