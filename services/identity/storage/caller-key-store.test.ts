import { afterAll, beforeAll } from 'vitest';
import { describeCallerKeyStore } from '../../../runtime/callers/testing-caller-key-store.ts';
import { PostgresCallerKeyStore } from './caller-key-store.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

let db: TestOrm;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());

describeCallerKeyStore(async () => {
  await db.rows('truncate user_service.caller_keys');
  return [new PostgresCallerKeyStore(db.orm.em.fork()), new PostgresCallerKeyStore(db.orm.em.fork())];
});
