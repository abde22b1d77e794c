import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { CHECKOUT } from '../bin/checkout.ts';
import { BackupStack } from './backup-stack.ts';
import { blocksOf } from './readme/blocks.ts';
import { Shell } from './readme/shell.ts';

const BLOCKS = blocksOf(readFileSync(join(CHECKOUT, 'docs/backup.md'), 'utf8'));
const of = (wanted: string) =>
  BLOCKS.filter(({ directive }) => directive === wanted).map(({ text }) => text.trim());

/** One of all that a restore ends. */
const ROWS = `
  insert into user_service.users (id, email, email_normalized, roles, created_at, updated_at)
    values (gen_random_uuid(), 'a@example.com', 'a@example.com', '{user}', now(), now());
  insert into user_service.sessions_history (id, user_id, created_at, expires_at, last_activity_at)
    select gen_random_uuid(), id, now(), now() + interval '1 day', now() from user_service.users;
  insert into user_service.refresh_token_families (id, user_id, session_id, created_at, expires_at, current_token_hash)
    select id, user_id, id, now(), expires_at, sha256('a') from user_service.sessions_history;
  insert into user_service.trusted_devices (id, user_id, trust_token_hash, created_at, last_seen_at, expires_at)
    select gen_random_uuid(), id, sha256('b'), now(), now(), now() + interval '1 day' from user_service.users;
  insert into user_service.one_time_tokens (id, user_id, purpose, token_hash, email_normalized, created_at, expires_at)
    select gen_random_uuid(), id, 'password_reset', sha256('c'), email, now(), now() from user_service.users`;

/** What lives, and what says that it does no more. */
const LIVE = `
  select (select count(*)::int from user_service.sessions_history where terminated_at is null) as sessions,
    (select count(*)::int from user_service.refresh_token_families where revoked_at is null) as families,
    (select count(*)::int from user_service.trusted_devices where revoked_at is null) as devices,
    (select count(*)::int from user_service.one_time_tokens) as tokens,
    (select count(*)::int from user_service.signing_keys) as keys,
    (select count(*)::int from user_service.revocations where kind = 'key') as revoked_keys`;
const ENDED = { sessions: 0, families: 0, devices: 0, tokens: 0, keys: 0, revoked_keys: 2 };

const backups = mkdtempSync(join(tmpdir(), 'optix-backups-'));
let source: BackupStack;
let target: BackupStack;
let drill: BackupStack;
let shell: Shell;
beforeAll(async () => {
  [source, target, drill] = await Promise.all([
    BackupStack.start({ migrated: true }),
    BackupStack.start(),
    BackupStack.start(),
  ]);
  // For its signing keys.
  await source.identity();
  await vi.waitFor(async () => expect(await source.rows(LIVE)).toMatchObject([{ keys: 2 }]), {
    timeout: 10_000,
  });
  await source.stop();
  await source.rows(ROWS);
  const { PATH, HOME, TMPDIR } = process.env;
  const quiet = { npm_config_update_notifier: 'false', NODE_DISABLE_COMPILE_CACHE: '1' };
  shell = new Shell({
    cwd: CHECKOUT,
    env: {
      ...{ PATH, HOME, TMPDIR, ...quiet, ...source.env, BACKUPS: backups },
      ...{ DRILL_DATABASE_URL: drill.database.url, DRILL_REDIS_URL: drill.redis.url },
    },
  });
  // What npx finds by the `bin` of package.json, without the second that it takes for that.
  await shell.run(`npx() { shift; '${process.execPath}' '${join(CHECKOUT, 'bin/optix.ts')}' "$@"; }`);
});
afterAll(async () => {
  shell?.[Symbol.dispose]();
  for (const stack of [source, target, drill]) await stack?.[Symbol.asyncDispose]();
  rmSync(backups, { recursive: true });
});

it.each(of('run'))('%s', async (script) => {
  const { code, output, errors } = await shell.run(script);
  expect({ code, output, errors }).toMatchObject({ code: 0, output: expect.stringMatching(/\S/) });
});

it('a restore ends what the page says, and keeps the rest', async () => {
  const [restore = ''] = of('restore');
  await shell.run(
    `before=$DATABASE_URL; export DATABASE_URL='${target.database.url}' REDIS_URL='${target.redis.url}'`,
  );
  const { code, errors } = await shell.run(restore);
  expect({ code, errors }).toMatchObject({ code: 0 });
  expect(await target.rows(LIVE)).toEqual([ENDED]);
  expect(await target.rows('select email from user_service.users')).toEqual([{ email: 'a@example.com' }]);
});

it('the drill restores into a database of its own', async () => {
  const [script = ''] = of('drill');
  const { code, errors } = await shell.run(script);
  expect({ code, errors }).toMatchObject({ code: 0 });
  const drilled = JSON.parse(readFileSync(join(backups, 'drill.json'), 'utf8'));
  expect(drilled).toMatchObject({
    users: 1,
    chain: { intact: true },
    ended: { sessions: 1, signingKeys: 2 },
  });
  expect(readdirSync(backups)).toContain('last.json');
});

it('what is to be done by hand after another way of restoring ends the same', async () => {
  const [sql = ''] = of('end by hand');
  await source.rows(sql);
  expect(await source.rows(LIVE)).toEqual([ENDED]);
});
