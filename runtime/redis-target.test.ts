import { describe, expect, it } from 'vitest';
import { singleRedis } from './redis-target.ts';

describe('singleRedis', () => {
  it.each([
    ['redis://redis', { nodes: [{ host: 'redis', port: 6379 }], database: 0, tls: undefined }],
    ['rediss://redis:6380/15', { nodes: [{ host: 'redis', port: 6380 }], database: 15, tls: {} }],
    ['redis://[2001:db8::1]:7000', { nodes: [{ host: '2001:db8::1', port: 7000 }] }],
    ['redis://user:p%25%2F@redis', { username: 'user', password: 'p%/' }],
    ['redis://:secret@redis', { username: undefined, password: 'secret' }],
    ['redis://redis?db=3&password=p%25', { database: 3, password: 'p%' }],
  ])('reads %s', (url, expected) => {
    expect(singleRedis(url)).toMatchObject({ mode: 'single', ...expected });
  });

  it.each([
    '',
    'localhost:6379',
    'http://localhost',
    'redis://',
    'redis://user:s3cret@localhost/abc',
    'redis://user:s3cret@localhost/0/1',
    'redis://user:s3cret@localhost?db=x',
    'redis://user:s3cret@localhost?family=6',
  ])('refuses %j without repeating it', (url) => {
    const read = () => singleRedis(url);
    expect(read).toThrow(TypeError);
    expect(read).not.toThrow(/s3cret/);
  });
});
