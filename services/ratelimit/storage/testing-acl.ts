/**
 * The least rights that the service needs of its Redis user, as ACL SETUSER takes them. docs/rate-limiting.md has the
 * same.
 */
export const LEAST_RIGHTS: readonly string[] = [
  ...['resetkeys', '~ratelimit:*', 'resetchannels', '&ratelimit:*', '-@all'],
  // To connect; INFO tells whether a server is loading or a replica. The second line is for clusters.
  ...['+ping', '+info', '+select', '+client|setname'],
  ...['+cluster|slots', '+cluster|info', '+readonly', '+asking'],
  // To count. Redis checks what a script does against the rights of whoever called it.
  ...['+evalsha', '+eval', '+unlink', '+time', '+get', '+set', '+del', '+exists', '+pttl', '+pexpire'],
  ...['+zadd', '+zcard', '+zcount', '+zrange', '+zrangebyscore', '+zrem'],
  ...['+zremrangebyrank', '+zremrangebyscore', '+zscore'],
  // To share live rules, the most limited keys, and what has room again.
  ...['+hget', '+hmget', '+hset', '+mget', '+zrevrange', '+publish', '+subscribe'],
];
