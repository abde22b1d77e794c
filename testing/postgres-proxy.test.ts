import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { withTestClient } from './database-admin.ts';
import { PostgresProxy } from './postgres-proxy.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  await withTestClient(database.url, (client) => client.query('create table notes (text text)'));
});
afterAll(async () => await database?.[Symbol.asyncDispose]());

/** Of a client that is cut off at its third statement, once its connections are gone. */
async function written(when: 'before' | 'after'): Promise<number> {
  await withTestClient(database.url, (client) => client.query('truncate notes'));
  await using proxy = await PostgresProxy.start(database.url);
  const client = new Client(proxy.url);
  client.on('error', () => undefined);
  await client.connect();
  const reached = Promise.withResolvers<void>();
  proxy.stopAt({ statement: 3, when, onReached: reached.resolve });
  await client.query('begin');
  await client.query('insert into notes values ($1)', ['a note']);
  let isAnswered = false;
  const commit = client.query('commit').then(
    () => {
      isAnswered = true;
    },
    () => undefined,
  );
  await reached.promise;
  expect(proxy.statements).toBe(3);
  client.connection.stream.destroy();
  await commit;
  await proxy.drained();
  expect(isAnswered).toBe(false);
  const { rows } = await withTestClient(database.url, (other) => other.query('select from notes'));
  return rows.length;
}

describe('a proxy that stops at a statement', () => {
  it('before: the server never gets it, and what was begun is undone', async () => {
    expect(await written('before')).toBe(0);
  });

  it('after: the server has carried it out, and the client is never told', async () => {
    expect(await written('after')).toBe(1);
  });

  it('counts simple and extended queries of all connections', async () => {
    await using proxy = await PostgresProxy.start(database.url);
    await withTestClient(proxy.url, async (client) => {
      await client.query('select 1');
      await client.query('select $1::int', [2]);
    });
    await withTestClient(proxy.url, (client) => client.query('select 3'));
    expect(proxy.statements).toBe(3);
  });
});
