import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { keyDigest } from '../runtime/callers/caller-key.ts';
import { NODE_COMPILE_CACHE } from '../testing/compile-cache.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { startTestIdentity, type TestService } from '../testing/services.ts';
import { CHECKOUT } from './checkout.ts';
import { usersCommand } from './commands/users.ts';
import { printedBy } from './testing-printed.ts';

/** Of util-linux: runs a command on a terminal of its own. */
const HAS_TERMINAL = spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux');
/** What clears a line, the only thing that is sent to a terminal besides text. */
const CLEAR_LINE = '\x1b[K';

let database: TestDatabase;
let service: TestService;
beforeAll(async () => {
  database = await createTestDatabase();
  service = await startTestIdentity({
    DATABASE_URL: database.url,
    RATE_LIMIT_ENABLED: 'false',
    IDENTITY_CALLER_KEYS: `ops=${keyDigest('key-of-ops')};*`,
  });
  await vi.waitFor(async () => expect((await service.get('/health')).status).toBe(200), 10_000);
  vi.stubEnv('OPTIX_API_KEY', 'key-of-ops');
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

/** The id of a user in this process's words. */
async function newUser(email: string): Promise<string> {
  const args = ['create', '--email', email, '--json', '--address', service.grpcAddress];
  return JSON.parse((await printedBy(() => usersCommand(args))).stdout).user.id;
}

/** Runs a command on a terminal, and types into it once it shows what is waited for. */
async function onTerminal(
  command: string,
  columns: number,
  waitsFor = '',
  types: string | (() => void) = '',
) {
  const optix = `node ${join(CHECKOUT, 'bin', 'optix.ts')}`;
  const line = `stty cols ${columns}; ${command.replaceAll('optix ', `${optix} `)} --address ${service.grpcAddress}`;
  const child = spawn('script', ['-qec', line, '/dev/null'], {
    env: {
      ...{ PATH: process.env['PATH'], NODE_COMPILE_CACHE },
      ...{ OPTIX_API_KEY: 'key-of-ops', TERM: 'xterm', SHELL: '/bin/bash' },
    },
  });
  let shown = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const hadShown = shown.includes(waitsFor);
    shown += chunk;
    if (hadShown || !shown.includes(waitsFor)) return;
    if (typeof types === 'string') child.stdin.write(types);
    else types();
  });
  const errors = text(child.stderr);
  const [status] = await once(child, 'close');
  return { status, shown: shown.replaceAll('\r\n', '\n'), errors: await errors };
}

describe.runIf(HAS_TERMINAL)('on a terminal', () => {
  it('a table has no colours, and is blocks where the terminal is narrow', async () => {
    await newUser('ada@example.com');
    const wide = await onTerminal('optix users list --prefix ada', 200);
    expect(wide).toMatchObject({
      status: 0,
      shown: expect.stringMatching(/^id +email +status.*\n\S+ +ada@/),
    });
    expect(wide.shown).not.toContain('\x1b');
    const narrow = await onTerminal('optix users list --prefix ada', 60);
    expect(narrow.shown).toMatch(/^id +\S+\nemail +ada@example\.com\nstatus +active\n/);
  });

  it.each([
    ['y\r', 0, 'erased '],
    ['n\r', 1, 'optix: nothing was changed'],
    ['\r', 1, 'optix: nothing was changed'],
    ['\x04', 1, 'optix: nothing was changed'],
    ['\x03', 130, ''],
  ])('what can not be undone is asked for: %j ends with %i', async (types, status, says) => {
    const id = await newUser(`gone${status}${types.charCodeAt(0)}@example.com`);
    await printedBy(() => usersCommand(['delete', id, '--address', service.grpcAddress]));
    const ended = await onTerminal(`optix users purge ${id}`, 120, '[y/N] ', types);
    expect(ended.status).toBe(status);
    expect(ended.shown).toContain(`Erase ${id} for good? [y/N] `);
    expect(ended.shown).toContain(says);
    const left = await printedBy(() => usersCommand(['get', id, '--address', service.grpcAddress]));
    expect(left.status).toBe(status === 0 ? undefined : 0);
  });

  it('long work shows how far it came, in a line that goes', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'optix-terminal-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const stop = join(directory, 'stop');
    const line = `echo "{\\"email\\":\\"u$((n += 1))@example.org\\"}"`;
    const lines = `(n=0; while [ ! -e ${stop} ]; do ${line}; sleep 0.1; done)`;
    const bar = `\r0.0 MiB${CLEAR_LINE}`;
    const ended = await onTerminal(`${lines} | optix users import -`, 80, bar, () => writeFileSync(stop, ''));
    expect(ended.status).toBe(0);
    const [, last = ''] = ended.shown.split(/(\r[^\r]*)$/);
    expect(last).toMatch(/added: \d+, refused: 0\n$/);
    expect(last.startsWith(`\r${CLEAR_LINE}added`)).toBe(true);
  });

  it('Ctrl-C ends a command with 130', async () => {
    const lines = `(echo '{"email":"c@example.org"}'; echo begun >&2; sleep 20)`;
    const ended = await onTerminal(`${lines} | optix users import -`, 80, 'begun', '\x03');
    expect(ended.status).toBe(130);
  });
});
