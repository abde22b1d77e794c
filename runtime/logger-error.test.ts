import { Code } from '@connectrpc/connect';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { createTestDatabase } from '../testing/database.ts';
import { withTestClient } from '../testing/database-admin.ts';
import { testRedisUrl } from '../testing/redis.ts';
import { rpcError } from './errors.ts';
import { loggedError } from './logger-error.ts';

const SECRET = 'qz-planted-value';

/** What is logged of the error that some work ends with. */
async function loggedOf(work: () => unknown) {
  const error = await (async () => await work())().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeDefined();
  const logged = loggedError(error);
  expect(JSON.stringify(logged)).not.toContain(SECRET);
  return logged;
}

test('an error is told with its class, message, place and causes', () => {
  class Odd extends TypeError {}
  const logged = loggedError(new Odd('outer', { cause: new Error('inner') }));
  expect(logged).toMatchObject({ type: 'Odd', message: 'outer', cause: { type: 'Error', message: 'inner' } });
  expect(logged.stack).toMatch(/^Odd: outer\n +at .*logger-error\.test\.ts:\d+:\d+\)?(\n|$)/);
});

test("PostgreSQL's errors are told by SQLSTATE and rule, without values, rows and statements", async () => {
  await using database = await createTestDatabase();
  await withTestClient(database.url, async (client) => {
    await client.query('create table planted (email text constraint one_each unique, day date)');
    const insert = 'insert into planted values ($1, $2)';
    await client.query(insert, [SECRET, null]);
    const twice = await loggedOf(() => client.query(insert, [SECRET, null]));
    expect(twice).toMatchObject({
      type: 'DatabaseError',
      code: '23505',
      table: 'planted',
      constraint: 'one_each',
    });
    expect(twice).not.toHaveProperty('detail');

    const noDay = await loggedOf(() => client.query(insert, ['a', SECRET]));
    expect(noDay).toMatchObject({ code: '22007', message: 'invalid input syntax for type date[redacted]' });
    await loggedOf(() => client.query('select $1::uuid', [SECRET]));
    await loggedOf(() => client.query('select $1::jsonb', [`{"a": ${SECRET}`]));
    await loggedOf(() => client.query('select to_date($1, $2)', [SECRET, 'YYYY']));
  });
});

test("Redis's errors are told by the name of the command, without its arguments", async () => {
  const redis = new Redis(testRedisUrl());
  try {
    await redis.set('planted', 'text');
    const wrong = await loggedOf(() => redis.hset('planted', 'field', SECRET));
    expect(wrong).toMatchObject({
      command: 'hset',
      message: expect.stringMatching(/^WRONGTYPE /),
    });
    const unknown = await loggedOf(() => redis.call('PLANT', SECRET));
    expect(unknown.message).toMatch(/unknown command/);
    const wrongLogin = await loggedOf(() => redis.call('AUTH', SECRET, SECRET));
    expect(wrongLogin).toMatchObject({ command: 'AUTH' });
  } finally {
    redis.disconnect();
  }
});

test('texts that Node refuses to read are not repeated', async () => {
  expect((await loggedOf(() => JSON.parse(`{"${SECRET}"}`))).message).toMatch(/is not valid JSON|in JSON/);
  expect((await loggedOf(() => JSON.parse(SECRET))).message).toContain('is not valid JSON');
  expect(await loggedOf(() => new URL(`//u:${SECRET}@`))).toMatchObject({ code: 'ERR_INVALID_URL' });
});

test('credentials and addresses of people are left out of messages', () => {
  const message = (text: string) => loggedError(new Error(text)).message;
  expect(message('can not reach postgres://optix:hush@db:5432/users: refused')).toBe(
    'can not reach postgres://[redacted] refused',
  );
  expect(message('550 <ada@example.com> is unknown')).toBe('550 <[redacted]> is unknown');
  expect(message('sent Authorization: Bearer hush.hush, in vain')).toBe(
    'sent Authorization: Bearer [redacted], in vain',
  );
  expect(message('cannot find node_modules/@scope/name')).toBe('cannot find node_modules/@scope/name');
});

test('nothing else that hangs on an error is told', () => {
  const error = Object.assign(new Error('no'), {
    response: SECRET,
    parameters: [SECRET],
    headers: { authorization: SECRET },
    code: 'EAUTH',
  });
  expect(Object.keys(loggedError(error))).toEqual(['type', 'message', 'stack', 'code']);
  const refusal = rpcError(Code.Internal, {
    message: 'no',
    reason: 'NO',
    domain: 'test',
    metadata: { secret: SECRET },
    cause: error,
  });
  refusal.metadata.set('authorization', SECRET);
  expect(JSON.stringify(loggedError(refusal))).not.toContain(SECRET);
});

test('a stack has places alone, even where a message is made to look like some', () => {
  const error = new Error(`no\n    at ${SECRET} (file:///a.ts:1:1)`);
  expect(loggedError(error).stack?.match(new RegExp(SECRET, 'g'))).toHaveLength(1);
  error.message = 'changed';
  const odd = new Error(`no\n    at ${SECRET}`);
  odd.message = 'changed';
  expect(loggedError(odd).stack).not.toContain(SECRET);
});

test.each([
  ['text', 'string'],
  [undefined, 'undefined'],
  [null, 'null'],
  [{ password: SECRET }, 'object'],
])('what is thrown without being an error, %o, is told by its kind', (thrown, type) => {
  expect(loggedError(thrown)).toEqual({ type, message: 'no error, but this was thrown' });
});

test('long messages, deep causes and many errors are cut', () => {
  expect(loggedError(new Error('x'.repeat(5000))).message).toHaveLength(1001);
  const loop = new Error('loop');
  loop.cause = loop;
  expect(JSON.stringify(loggedError(loop)).match(/"message"/g)).toHaveLength(5);
  const many = new AggregateError(Array.from({ length: 50 }, (_, n) => new Error(`${n}`)));
  expect(loggedError(many).errors).toHaveLength(10);
});

test('errors that lead back to themselves are told a few times', () => {
  const error: Error & { errors?: unknown[] } = new Error('again');
  error.cause = error;
  error.errors = Array.from({ length: 10 }, () => error);
  expect(JSON.stringify(loggedError(error)).match(/"type":/g)?.length).toBe(30);
});

test('an error that can not be read is told as such', () => {
  const error = Object.defineProperty(new Error('odd'), 'code', {
    get() {
      throw new Error('not this way');
    },
  });
  const unreadable = { type: 'object', message: 'an error that can not be read' };
  expect(loggedError(error)).toEqual(unreadable);
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  expect(loggedError(proxy)).toEqual(unreadable);
});

test('a long message takes no long time', () => {
  const startedAt = performance.now();
  const { message } = loggedError(new Error(`${'a'.repeat(100_000)} of somebody@example.com`));
  expect(message).toHaveLength(1001);
  expect(performance.now() - startedAt).toBeLessThan(2000);
});
