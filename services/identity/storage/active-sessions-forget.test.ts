import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startRedis } from '../../../stack/redis-server.ts';
import { SecretBox } from '../domain/secret-box.ts';
import type { Uuid } from '../domain/uuid.ts';
import { TestIdentity } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import { type OpenedSession, TestReplica } from './testing-replica.ts';

const resources = new AsyncDisposableStack();
let db: TestOrm;
let replica: TestReplica;
let other: TestReplica;
let userId: Uuid;
beforeAll(async () => {
  db = resources.use(await openTestOrm());
  const dir = mkdtempSync(join(tmpdir(), 'optix-forget-'));
  resources.defer(() => rm(dir, { recursive: true }));
  const server = resources.use(await startRedis({ dir }));
  userId = (await new TestIdentity(db).register('ada@example.com')).id;
  const secretBox = SecretBox.fromKeys({ id: 'k1', key: randomBytes(32) });
  const open = () => TestReplica.open({ databaseUrl: db.url, redisUrl: server.url, secretBox });
  replica = resources.use(await open());
  other = resources.use(await open());
  await replica.signingKeys.active();
});
afterAll(() => resources.disposeAsync());

const isMfaVerified = async ({ token }: OpenedSession, on = replica) => {
  const found = await on.introspect(token);
  return found.active && found.state.session.mfaVerified;
};

/** A session that Redis holds a copy of, and which the database says another thing of since. */
async function changedSession(): Promise<OpenedSession> {
  const session = await replica.signIn(userId);
  await vi.waitFor(async () => {
    const { statements } = replica.asked;
    await replica.introspect(session.token);
    expect(replica.asked.statements).toBe(statements);
  }, 10_000);
  await db.rows('update user_service.sessions_history set mfa_verified = true where id = $1', [
    session.sessionId,
  ]);
  return session;
}

test('a session that was made one of two factors is shown as one by every replica at once', async () => {
  const session = await changedSession();
  expect(await isMfaVerified(session)).toBe(false);
  await replica.liveStates.forget(session.sessionId);
  expect(await isMfaVerified(session)).toBe(true);
  expect(await isMfaVerified(session, other)).toBe(true);
});

test('what was read before the change is not filled in after it', async () => {
  const session = await replica.signIn(userId);
  replica.afterRead = async () => {
    replica.afterRead = async () => undefined;
    await db.rows('update user_service.sessions_history set mfa_verified = true where id = $1', [
      session.sessionId,
    ]);
    await other.liveStates.forget(session.sessionId);
  };
  expect(await isMfaVerified(session)).toBe(false);
  expect(await isMfaVerified(session)).toBe(true);
});
