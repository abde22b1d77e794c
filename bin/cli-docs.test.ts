import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blocksOf } from '../e2e/readme/blocks.ts';
import { startTestRateLimit, type TestService } from '../testing/services.ts';
import { CHECKOUT } from './checkout.ts';

/** Long enough for a command to ask the service, and to fail where it would. */
const RUNNING_MS = 1_500;

const BLOCKS = blocksOf(readFileSync(join(CHECKOUT, 'docs', 'cli.md'), 'utf8'));

let service: TestService;
let directory: string;
beforeAll(async () => {
  service = await startTestRateLimit();
  directory = mkdtempSync(join(tmpdir(), 'optix-docs-'));
  symlinkSync(join(CHECKOUT, 'bin'), join(directory, 'bin'));
  for (const { directive, text: content } of BLOCKS) {
    const [, name] = /^file (\S+)$/.exec(directive) ?? [];
    if (name !== undefined) writeFileSync(join(directory, name), content);
  }
});
afterAll(async () => {
  rmSync(directory, { recursive: true });
  await service[Symbol.asyncDispose]();
});

function commandsOf(wanted: string): string[] {
  return BLOCKS.filter(({ directive }) => directive === wanted).flatMap((block) =>
    block.text.trim().split('\n'),
  );
}

/** As written, but on the ports of this test. */
function start(command: string) {
  const env = { PATH: `${dirname(process.execPath)}:${process.env['PATH']}` };
  const onOwnPort = `exec env ${command} --address ${service.grpcAddress}`;
  const child = spawn('bash', ['--norc', '-c', onOwnPort], {
    cwd: directory,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { child, closed: once(child, 'close'), output: text(child.stdout), errors: text(child.stderr) };
}

describe('docs/cli.md has commands of ratelimit that run as written', () => {
  it.each(commandsOf('on ratelimit'))('%s', async (command) => {
    const { closed, output, errors } = start(command);
    const [status] = await closed;
    expect({ errors: await errors, status }).toEqual({ errors: '', status: / diff /.test(command) ? 3 : 0 });
    expect(await output).not.toBe('');
  });

  it('and goes on with those that go on, until Ctrl-C', async () => {
    const running = commandsOf('on ratelimit, until Ctrl-C').map(start);
    expect(running.length).toBeGreaterThan(0);
    await sleep(RUNNING_MS * running.length);
    for (const { child } of running) child.kill('SIGINT');
    for (const { closed, errors } of running) {
      expect([await closed, await errors]).toEqual([
        [0, null],
        expect.stringMatching(/ shown, 0 left out\n$/),
      ]);
    }
  });
});
