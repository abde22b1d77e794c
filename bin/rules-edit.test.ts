import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { RateLimitAdminService } from '../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { defineRule } from '../services/ratelimit/domain/rule.ts';
import { startTestRateLimit, type TestService } from '../testing/services.ts';
import { editRule } from './commands/rules/edit-rule.ts';
import { rulesCommand } from './commands/rules.ts';
import { printedBy } from './testing-printed.ts';

let service: TestService;
let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'optix-rules-edit-'));
});
afterAll(() => rmSync(directory, { recursive: true }));
beforeEach(async () => {
  // Others edit at the same time.
  vi.stubEnv('TMPDIR', directory);
  service = await startTestRateLimit();
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await service[Symbol.asyncDispose]();
});

async function rules(...args: string[]) {
  return await printedBy(() => rulesCommand([...args, '--address', service.grpcAddress]));
}

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

const admin = () => createClient(RateLimitAdminService, service.transport('gRPC'));

describe('optix rules edit', () => {
  /** An editor that runs a script of the shell, its file as $1. */
  function editor(script: string): void {
    vi.stubEnv('VISUAL', '');
    vi.stubEnv('EDITOR', `sh ${file('editor.sh', script)}`);
  }

  it('makes live what the editor leaves', async () => {
    editor(`sed -i 's/limit: 5/limit: 6/' "$1"`);
    const { status, stdout } = await rules('edit', 'auth_login');
    expect(status).toBe(0);
    expect(stdout).toMatch(/\n\+ {2}- \{ limit: 6, [\s\S]*\nupdated auth_login\n$/);
    expect((await admin().getRule({ name: 'auth_login' })).rule?.limits[0]?.limit).toBe(6);
  });

  it('changes nothing where the text is left alone', async () => {
    editor('true');
    expect(await rules('edit', 'auth_login')).toMatchObject({ status: 0, stdout: 'nothing was changed\n' });
    expect((await rules('list')).stdout).not.toContain('LIVE');
  });

  it.each([
    ['a bad limit', 's/limit: 5/limit: 0/', /^\S+rule\.yaml:3:\d+ limits\[0\]\.limit must be/],
    ['another name', 's/auth_login/auth_other/', /^\S+rule\.yaml:1:\d+ name must stay auth_login/],
    ['no YAML', 's/mode:/}mode/', /^\S+rule\.yaml:4:\d+ /],
  ])('refuses %s by line and column, and keeps the text', async (_, change, says) => {
    editor(`sed -i '${change}' "$1"`);
    const { error, stderr } = await rules('edit', 'auth_login');
    expect(stderr).toMatch(says);
    const [, kept = ''] =
      /^the rule was refused; nothing was changed \(your text is in (\S+)\)$/.exec(error?.message ?? '') ??
      [];
    expect(readFileSync(kept, 'utf8')).toContain('limits:');
    rmSync(join(kept, '..'), { recursive: true });
    expect((await rules('list')).stdout).not.toContain('LIVE');
  });

  it('never overwrites what somebody else changed meanwhile', async () => {
    const other = file('other.yaml', 'rules: [ { name: auth_login, limits: [ { limit: 8, window: 1m } ] } ]');
    const optix = `"${process.execPath}" bin/optix.ts rules apply ${other} --address ${service.grpcAddress}`;
    editor(`${optix} > /dev/null && sed -i 's/limit: 5/limit: 6/' "$1"`);
    const { error } = await rules('edit', 'auth_login');
    expect(error?.message).toMatch(/^somebody else changed the rule auth_login meanwhile \(your text is in /);
    rmSync(join(/in (\S+)\)$/.exec(error?.message ?? '')?.[1] ?? '', '..'), { recursive: true });
    expect((await admin().getRule({ name: 'auth_login' })).rule?.limits[0]?.limit).toBe(8);
  });

  it('goes on editing for as long as one likes', async () => {
    const rule = defineRule({
      name: 'a',
      limits: [{ limit: 5, windowMicros: 1e6 }],
      onStoreFailure: 'FAIL_OPEN',
    });
    const errors = vi.spyOn(console, 'error').mockReturnValue();
    const asked: string[] = [];
    const used: unknown[] = [];
    const edited = await editRule({
      rule,
      editor: `sh ${file('twice.sh', `sed -i -e 's/limit: 0/limit: 7/' -e 's/limit: 5/limit: 0/' "$1"`)}`,
      ask: async (question) => asked.push(question) > 0,
      use: async (rule) => void used.push(rule.limits[0]?.limit),
    });
    expect(edited?.limits[0]?.limit).toBe(7);
    expect(used).toEqual([7]);
    expect([asked.length, errors.mock.calls.length]).toEqual([1, 1]);
    expect(readdirSync(directory).filter((name) => name.startsWith('optix-rule-'))).toEqual([]);
  });

  it('says what to do without an editor, and where the editor fails', async () => {
    editor('exit 4');
    expect((await rules('edit', 'auth_login')).error?.message).toMatch(
      /^the editor \(.*\) ended with 4; nothing was changed$/,
    );
    vi.stubEnv('EDITOR', '');
    expect((await rules('edit', 'auth_login')).error?.message).toMatch(/^set EDITOR to the editor/);
  });
});
