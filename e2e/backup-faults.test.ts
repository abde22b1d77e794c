import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECKOUT } from '../bin/checkout.ts';
import { startOptix } from '../bin/testing-optix.ts';
import { withTestClient } from '../testing/database-admin.ts';
import { BackupStack } from './backup-stack.ts';

/** Enough that a restore takes a while. */
const USERS = 4_000;
const FILL = `
  insert into user_service.users (id, email, email_normalized, roles, created_at, updated_at)
    select gen_random_uuid(), n || '@example.com', n || '@example.com', array['user'], now(), now()
    from generate_series(1, ${USERS}) n;
  insert into user_service.sessions_history (id, user_id, user_agent, created_at, expires_at, last_activity_at)
    select gen_random_uuid(), id, repeat(md5(id::text), 5), now(), now() + interval '1 day', now()
    from user_service.users, generate_series(1, 2);
  insert into user_service.totp_authenticators (id, user_id, secret, secret_key_id, created_at, confirmed_at, last_step)
    select gen_random_uuid(), id, 'x', 'ffffffffffffffff', now(), now(), 1 from user_service.users limit 2`;

const directory = mkdtempSync(join(tmpdir(), 'optix-backups-'));
const good = join(directory, 'good');
const ANYWAY = '--allow-missing-keys';
let source: BackupStack;
let target: BackupStack;
beforeAll(async () => {
  source = await BackupStack.start({ migrated: true });
  target = await BackupStack.start();
  await source.rows(FILL);
  const { status, stderr } = await source.optix(['backup', '--to', good]);
  expect([status, stderr]).toEqual([0, '']);
}, 60_000);
afterAll(async () => {
  await source?.[Symbol.asyncDispose]();
  await target?.[Symbol.asyncDispose]();
});

/** What a restore of a copy says that was changed, and that it changed nothing. */
async function refusalOf(change: (copy: string) => void): Promise<string> {
  const copy = join(directory, 'changed');
  cpSync(good, copy, { recursive: true });
  try {
    change(copy);
    const { status, stdout, stderr } = await target.optix(['restore', '--from', copy, ANYWAY]);
    expect([status, stdout]).toEqual([1, '']);
    expect(await target.rows(`select to_regnamespace('user_service') as found`)).toEqual([{ found: null }]);
    return stderr.replaceAll(copy, 'DIR');
  } finally {
    rmSync(copy, { recursive: true });
  }
}

function flipByte(file: string): void {
  const bytes = readFileSync(file);
  const place = Math.floor(bytes.length / 2);
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}

describe('a backup is refused, and nothing is changed, where', () => {
  it('a byte of it is another, or a table is missing', async () => {
    expect(await refusalOf((copy) => flipByte(join(copy, 'users.copy.gz')))).toBe(
      "optix: DIR can't be used: users.copy.gz is not as it was written\n",
    );
    expect(await refusalOf((copy) => rmSync(join(copy, 'sessions_history.copy.gz')))).toBe(
      "optix: DIR can't be used: sessions_history.copy.gz is missing\n",
    );
  });

  it('a key is not set that its secrets need; the id is told, and how to go on without', async () => {
    const args = ['restore', '--from', good];
    const { status, stderr } = await target.optix(args);
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining(
        'the backup needs encryption keys that are not set: ffffffffffffffff (2 secrets)',
      ),
    ]);
    const checked = await target.optix([...args, '--check']);
    expect(checked.stdout).toContain(
      "the encryption key ffffffffffffffff is not set: 2 secrets can't be read",
    );
    expect(await target.rows(`select to_regnamespace('user_service') as found`)).toEqual([{ found: null }]);
  });

  it('Redis, into which a part of it goes, is away', async () => {
    const { status, stderr } = await target.optix(['restore', '--from', good, ANYWAY], {
      REDIS_URL: 'redis://127.0.0.1:1',
    });
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^optix: Redis \(REDIS_URL\): /)]);
    expect(await target.rows(`select to_regnamespace('user_service') as found`)).toEqual([{ found: null }]);
  });
});

it('a restore that is killed midway leaves no row, and can be made again', async () => {
  const restoring = startOptix(['restore', '--from', good, ANYWAY], target.env);
  const ended = once(restoring, 'close');
  await withTestClient(target.database.url, async (client) => {
    for (;;) {
      const { rows } = await client.query(
        `select bytes_processed from pg_stat_progress_copy where relid <> 0 and bytes_processed > 0`,
      );
      if (rows.length > 0) break;
      expect(restoring.exitCode).toBeNull();
      await sleep(2);
    }
  });
  restoring.kill('SIGKILL');
  expect(await ended).toEqual([null, 'SIGKILL']);
  const { status, stdout, stderr } = await target.optix(['restore', '--from', good, ANYWAY]);
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toContain(`${USERS} users`);
  expect(await target.rows('select count(*)::int as users from user_service.users')).toEqual([
    { users: USERS },
  ]);
});

describe('a backup that can not be written leaves nothing', () => {
  it('where the disk takes no more', async () => {
    const limited = join(directory, 'limited');
    // Files may have 64 KiB: further writes fail, as they do where a disk is full.
    const child = spawn(
      'bash',
      [
        '-c',
        'ulimit -f 64; exec "$@"',
        'bash',
        process.execPath,
        join(CHECKOUT, 'bin', 'optix.ts'),
        'backup',
        '--to',
        limited,
      ],
      { env: { PATH: process.env['PATH'], ...source.env }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const [stderr, [status]] = await Promise.all([text(child.stderr), once(child, 'close')]);
    expect([status, stderr]).toEqual([1, 'optix: EFBIG: file too large, write\n']);
    expect(readdirSync(directory)).toEqual(['good']);
  });

  it('where the directory can not be made, or is there already', async () => {
    const nowhere = await source.optix(['backup', '--to', join(directory, 'none', 'here')]);
    expect([nowhere.status, nowhere.stderr]).toEqual([1, expect.stringContaining('ENOENT')]);
    const over = await source.optix(['backup', '--to', good]);
    expect([over.status, over.stderr]).toEqual([
      1,
      `optix: ${good} is there already: a backup is never written over anything\n`,
    ]);
    expect(readdirSync(directory)).toEqual(['good']);
  });

  it('where it is interrupted; where it is killed, what it leaves is no backup', async () => {
    const name = `stopped-${randomBytes(4).toString('hex')}`;
    const begin = async () => {
      const child = startOptix(['backup', '--to', join(directory, name)], source.env);
      const ended = once(child, 'close');
      const errors = text(child.stderr);
      const users = () =>
        readdirSync(directory).find(
          (each) => existsSync(join(directory, each, 'users.copy.gz')) && each !== 'good',
        );
      while (users() === undefined) {
        expect(child.exitCode).toBeNull();
        await sleep(1);
      }
      return { child, ended, errors, unfinished: join(directory, users() ?? '') };
    };
    const interrupted = await begin();
    interrupted.child.kill('SIGINT');
    expect(await interrupted.ended).toEqual([1, null]);
    expect(await interrupted.errors).toBe('optix: interrupted: nothing was kept\n');
    expect(readdirSync(directory)).toEqual(['good']);

    const killed = await begin();
    killed.child.kill('SIGKILL');
    await killed.ended;
    expect(existsSync(join(directory, name))).toBe(false);
    const { status, stderr } = await target.optix(['restore', '--from', killed.unfinished]);
    expect([status, stderr]).toEqual([1, expect.stringContaining('is no finished backup')]);
    rmSync(killed.unfinished, { recursive: true });
  });
});

describe('bad arguments are refused with what they lack', () => {
  it.each([
    [['backup'], 2, '--to must be given'],
    [['backup', '--to', 'x', '--only', 'redis'], 2, '--only "redis" is none of identity, limiter'],
    [['restore'], 2, '--from must be given'],
    [['restore', '--from', '/nonexistent'], 1, '/nonexistent is no finished backup'],
  ] as const)('%j', async (args, code, problem) => {
    const { status, stdout, stderr } = await source.optix(args);
    expect([status, stdout, stderr]).toEqual([code, '', expect.stringContaining(problem)]);
  });

  it('without DATABASE_URL, or a database that is none of identity', async () => {
    const to = join(directory, 'never');
    const without = await source.optix(['backup', '--to', to], { DATABASE_URL: '' });
    expect([without.status, without.stderr]).toEqual([
      1,
      expect.stringContaining('DATABASE_URL must be set'),
    ]);
    const foreign = await source.optix(['backup', '--to', to], {
      DATABASE_URL: source.database.url.replace(/\/[^/]*$/, '/template1'),
    });
    expect([foreign.status, foreign.stderr]).toEqual([
      1,
      expect.stringContaining('has no tables in user_service'),
    ]);
    expect(readdirSync(directory)).toEqual(['good']);
  });
});
