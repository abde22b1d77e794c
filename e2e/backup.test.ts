import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { BackupSummary } from '../bin/commands/backup/backup-summary.ts';
import type { RestoreSummary } from '../bin/commands/backup/restore-summary.ts';
import { CallerService } from '../gen/optix/callers/v1/caller_service_pb.ts';
import type { AuthenticateResponse } from '../gen/optix/identity/v1/authentication_service_pb.ts';
import { RateLimitService } from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { keyDigest } from '../runtime/callers/caller-key.ts';
import { failure, reasonOf } from '../testing/failure.ts';
import { BackupStack } from './backup-stack.ts';
import { FactorUser, recovery, totp } from './factor-user.ts';
import type { IdentityRpcs } from './identity-rpcs.ts';

const OPS = `ops=${keyDigest('key-of-ops')};callers.admin`;

/** The drill of docs/backup.md, whose commands backup-docs.test.ts runs. One for all stacks: a restore leads to the same users. */
const rpcs = {} as IdentityRpcs;
const directory = mkdtempSync(join(tmpdir(), 'optix-backups-'));
const whileWriting = join(directory, 'while-writing');
const atRest = join(directory, 'at-rest');
let source: BackupStack;
let user: FactorUser;
let recoveryCodes: string[];
let trustToken: string;
let session: AuthenticateResponse;
/** Of a caller of identity, and of one of ratelimit. */
let keys: { readonly identity: string; readonly ratelimit: string };
let written: BackupSummary;

beforeAll(async () => {
  source = await BackupStack.start({ migrated: true });
  Object.assign(rpcs, (await source.identity()).rpcs);
  const { service: ratelimit, admin } = await source.ratelimit();

  user = await FactorUser.register(rpcs, source.database.url);
  recoveryCodes = await user.enrol((await user.authenticate()).accessToken);
  trustToken = (await user.signIn({ trustDevice: true })).trustToken ?? '';
  session = await user.authenticate({ trustToken });
  await admin.createRule({
    rule: { name: 'orders', limits: [{ limit: 2, window: { seconds: 3600n } }] },
  });

  const limiterCallers = createClient(CallerService, ratelimit.transport('gRPC'));
  keys = {
    identity: (await rpcs.callers.createCallerKey({ name: 'gateway', scopes: ['users.read'] })).key,
    ratelimit: (await limiterCallers.createCallerKey({ name: 'gateway', scopes: ['limits.check'] })).key,
  };

  // Accounts and sessions are made all the time.
  const stopping = new AbortController();
  const writers = [1, 2].map(async () => {
    let made = 0;
    for (; !stopping.signal.aborted; made++) {
      const other = await FactorUser.register(rpcs, source.database.url);
      await other.authenticate();
    }
    return made;
  });
  const { status, stdout, stderr } = await source.optix(['backup', '--to', whileWriting, '--json']);
  stopping.abort();
  const made = await Promise.all(writers);
  expect(stderr).toBe('');
  expect([status, Math.min(...made) > 0]).toEqual([0, true]);
  written = JSON.parse(stdout) as BackupSummary;

  // After the backup: lost.
  await FactorUser.register(rpcs, source.database.url);
  await source.stop();
  expect((await source.optix(['backup', '--to', atRest])).status).toBe(0);
}, 60_000);
afterAll(async () => {
  await source?.[Symbol.asyncDispose]();
});

async function told(call: Promise<unknown>): Promise<string | undefined> {
  return reasonOf(await failure(call));
}

describe('a backup while accounts and sessions are made', () => {
  it('is for its owner alone, and tells what is in it', () => {
    const files = readdirSync(whileWriting);
    expect(files).toContain('SHA256SUMS');
    expect(files).toContain('users.copy.gz');
    expect(statSync(whileWriting).mode & 0o777).toBe(0o700);
    for (const file of files) expect(statSync(join(whileWriting, file)).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory).sort()).toEqual(['at-rest', 'while-writing']);
    expect(written.identity?.tables['users']).toBeGreaterThan(1);
    expect(written.identity?.encryptionKeys).toEqual([
      { id: expect.any(String), secrets: expect.any(Number) },
    ]);
    expect(written.limiter).toEqual({ rules: 1, callers: 1 });
  });

  describe('restored into a new stack', () => {
    let target: BackupStack;
    let summary: RestoreSummary;
    beforeAll(async () => {
      target = await BackupStack.start();
      const { status, stdout, stderr } = await target.optix(['restore', '--from', whileWriting, '--json']);
      expect([status, stderr]).toEqual([0, '']);
      summary = JSON.parse(stdout) as RestoreSummary;
      Object.assign(rpcs, (await target.identity()).rpcs);
    }, 60_000);
    afterAll(() => target?.[Symbol.asyncDispose]());

    it('has what one moment had: nothing without what it belongs to', async () => {
      expect(summary.users).toBe(written.identity?.tables['users']);
      const strays = `
        select (select count(*)::int from user_service.refresh_token_families f
                  where not exists (select from user_service.sessions_history s where s.id = f.session_id)) as families,
          (select count(*)::int from user_service.sessions_history s
             where not exists (select from user_service.users u where u.id = s.user_id)) as sessions,
          (select count(*)::int from user_service.security_event_seals s
             where not exists (select from user_service.security_events e where e.id = s.event_id)) as seals,
          (select count(*)::int from user_service.users u
             where not exists (select from user_service.security_events e where e.user_id = u.id)) as users`;
      expect(await target.rows(strays)).toEqual([{ families: 0, sessions: 0, seals: 0, users: 0 }]);
    });

    it('signs in with password and authenticator app, or a recovery code', async () => {
      // The app's step of now was used before the backup.
      const { accessToken } = await user.complete(await user.challenged(), totp(user.code(1)));
      expect((await rpcs.tokens.introspectToken({ token: accessToken })).active).toBe(true);
      await user.complete(await user.challenged(), recovery(recoveryCodes[0] ?? ''));
    });

    it('has ended what may have been revoked since: sessions, tokens, trusted devices', async () => {
      expect(summary.ended).toMatchObject({ trustedDevices: 1 });
      expect(summary.ended?.sessions).toBeGreaterThanOrEqual(3);
      expect(summary.ended?.signingKeys).toBeGreaterThanOrEqual(1);
      expect((await rpcs.tokens.introspectToken({ token: session.accessToken })).active).toBe(false);
      const { refreshToken } = session;
      expect(await told(rpcs.tokens.refreshToken({ refreshToken, device: user.device }))).toBe(
        'INVALID_REFRESH_TOKEN',
      );
      await user.challenged({ trustToken });
      const live = await target.rows(
        `select from user_service.sessions_history where terminated_at is null and created_at < '${summary.takenAt}'`,
      );
      expect(live).toEqual([]);
    });

    it('has an intact audit log that goes on from there, and says so', async () => {
      expect(summary.chain).toMatchObject({ intact: true, findings: [] });
      const { chain } = written.identity ?? {};
      const anchors = [
        { sequence: BigInt(chain?.sequence ?? 0), chainHash: Buffer.from(chain?.hash ?? '', 'hex') },
      ];
      await vi.waitFor(
        async () => {
          const verified = await rpcs.events.verifySecurityEventChain({ anchors });
          expect(verified).toMatchObject({ intact: true, unsealedEvents: 0n });
        },
        { timeout: 10_000 },
      );
      const { events } = await rpcs.events.listSecurityEvents({ filter: { types: ['database_restored'] } });
      expect(events).toMatchObject([{ metadata: { sessions_ended: summary.ended?.sessions } }]);
      expect(events[0]?.sequence).toBeGreaterThan(BigInt(chain?.sequence ?? 0));
    });

    it('has the live rules in force, and the keys of callers are good', async () => {
      expect(summary.limiter).toEqual({ rules: 'restored', callers: 'restored' });
      const { service } = await target.ratelimit({ RATELIMIT_CALLER_KEYS: OPS });
      const limiter = createClient(RateLimitService, service.transport('gRPC'));
      const check = async (key: string) => {
        const headers = { authorization: `Bearer ${key}` };
        return await limiter.checkLimit(
          { endpoint: 'orders', identifier: `user:${randomUUID()}` },
          { headers },
        );
      };
      expect(await check(keys.ratelimit)).toMatchObject({ allowed: true, limit: 2, remaining: 1 });
      expect(await told(check('another key'))).toBe('CALLER_UNAUTHENTICATED');
      const { rpcs: guarded } = await target.identity({ IDENTITY_CALLER_KEYS: OPS });
      const get = async (key: string) =>
        await guarded.users.getUser({ id: user.id }, { headers: { authorization: `Bearer ${key}` } });
      expect((await get(keys.identity)).user?.email).toBe(user.email);
      expect(await told(get('another key'))).toBe('CALLER_UNAUTHENTICATED');
    });

    it('is not restored over: the tables that have rows are named', async () => {
      const before = await target.filled();
      const { status, stdout, stderr } = await target.optix(['restore', '--from', whileWriting]);
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(
        /^optix: the database has rows, in .*users \(\d+\).*: restore into an empty one/,
      );
      expect(await target.filled()).toEqual(before);
    });
  });
});

describe('a backup of services that were stopped, restored with --keep-sessions', () => {
  let target: BackupStack;
  beforeAll(async () => {
    target = await BackupStack.start();
    const { status, stderr, stdout } = await target.optix(['restore', '--from', atRest, '--keep-sessions']);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain('audit log: intact');
  }, 60_000);
  afterAll(() => target?.[Symbol.asyncDispose]());

  it('is the same, row by row, but for the event that tells of it', async () => {
    const tables = await source.filled();
    expect(await target.filled()).toEqual([...new Set([...tables, 'security_event_queue'])].sort());
    for (const table of tables) {
      const sql = `select t::text as row from user_service.${table} as t order by 1`;
      const [before, after] = [await source.rows(sql), await target.rows(sql)];
      const added = after.filter(({ row }) => !before.some((one) => one['row'] === row));
      const missing = before.filter(({ row }) => !after.some((one) => one['row'] === row));
      expect([table, missing]).toEqual([table, []]);
      const isLog = table === 'security_events' || table === 'security_event_queue';
      expect([table, added.length]).toEqual([table, isLog ? 1 : 0]);
    }
  });

  it('lets sessions, refresh tokens and trusted devices go on', async () => {
    Object.assign(rpcs, (await target.identity()).rpcs);
    expect((await rpcs.tokens.introspectToken({ token: session.accessToken })).active).toBe(true);
    const { refreshToken } = session;
    expect((await rpcs.tokens.refreshToken({ refreshToken, device: user.device })).accessToken).not.toBe('');
    expect((await user.authenticate({ trustToken })).session?.trustedDevice).toBe(true);
  });
});
