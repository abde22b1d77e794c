import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { collectingLogger } from '../../../testing/collecting-logger.ts';
import type { AccessRules } from '../domain/access/access-rules.ts';
import { NO_ACCESS_RULES, readAccessRulesDocument } from './access-rules-document.ts';
import { AccessRulesFileWatch } from './access-rules-file-watch.ts';
import { openAccessRules } from './open-access-rules.ts';

const required = { token: 'required', roles: [], acr: undefined, maxAgeSeconds: undefined };
const request = (path: string, method = 'GET', host = 'api.example.com') => ({ path, method, host });

function rulesOf(text: string): AccessRules {
  const { value, problems } = readAccessRulesDocument(text);
  expect(problems).toEqual([]);
  return value as AccessRules;
}

describe('an access rules file', () => {
  it('has rules, of which the first that matches holds, and a default', () => {
    const rules = rulesOf(`
rules:
- hosts: [API.example.com, "*.example.org"]
  methods: [get, HEAD]
  paths: [/public/*, /status]
  token: none
- paths: [/admin/*]
  roles: [admin, premium]
  acr: aal2
  max_age: 15m
default: {token: optional}
`);
    const of = (...facts: Parameters<typeof request>) => rules.requirementOf(request(...facts), undefined);
    expect(of('/status')).toMatchObject({ token: 'none' });
    expect(of('/status', 'GET', 'a.example.org')).toMatchObject({ token: 'none' });
    expect(of('/status', 'GET', 'example.org')).toMatchObject({ token: 'optional' });
    expect(of('/status', 'POST')).toMatchObject({ token: 'optional' });
    expect(of('/admin/x')).toEqual({
      token: 'required',
      roles: [['admin', 'premium']],
      acr: 'aal2',
      maxAgeSeconds: 900,
    });
  });

  it.each(['{}', 'rules: []', 'default: {}'])('%s: a good token is required', (text) => {
    expect(rulesOf(text).requirementOf(request('/'), undefined)).toEqual(required);
    expect(NO_ACCESS_RULES.requirementOf(request('/'), undefined)).toEqual(required);
  });

  const rule = (fields: string) => `rules:\n- {${fields}}`;
  it.each([
    ['nothing', '', ['1:1 must be of the type object']],
    ['an unknown field', 'rule: []', ['1:1 rule is no known field']],
    ['a misspelt field', rule('path: [/a]'), ['2:4 rules[0].path is no known field']],
    [
      'a token that is none',
      rule('token: yes'),
      [expect.stringMatching(/^2:4 rules\[0\].token must be one of/)],
    ],
    ['no hosts', rule('hosts: []'), ['2:4 rules[0].hosts must not be empty']],
    [
      'a host with a port',
      rule('hosts: ["a.example:443"]'),
      ['2:12 rules[0].hosts[0] must be a host without a port, with *. before it for all below it'],
    ],
    ['a star inside a host', rule('hosts: ["a.*.example"]'), [expect.stringContaining('rules[0].hosts[0]')]],
    ['no method', rule('methods: ["GET POST"]'), ['2:14 rules[0].methods[0] must be a method of HTTP']],
    [
      'a star inside a path',
      rule('paths: [/a/*/b]'),
      [expect.stringMatching(/^2:12 rules\[0\].paths\[0\] must be a path/)],
    ],
    [
      'a path with dot segments',
      rule('paths: [/a, /a/../b]'),
      [expect.stringMatching(/^2:16 rules\[0\].paths\[1\] /)],
    ],
    [
      'a role that nobody has',
      rule('roles: [root]'),
      [expect.stringMatching(/^2:12 rules\[0\].roles\[0\] must be one of/)],
    ],
    ['no roles', rule('roles: []'), ['2:4 rules[0].roles must not be empty']],
    [
      'a time without unit',
      rule('max_age: "900"'),
      ['2:4 rules[0].max_age must be a time of at least 1s, such as 15m or 1h30m (units d, h, m, s)'],
    ],
    [
      'roles of nobody',
      rule('token: none, roles: [admin]'),
      ['2:3 rules[0] must have token: required where roles, acr or max_age are asked for'],
    ],
    [
      'a level of nobody by default',
      'default: {token: optional, acr: aal2}',
      ['1:1 default must have token: required where roles, acr or max_age are asked for'],
    ],
    [
      'several faults',
      'rules:\n- acr: aal3\n- paths: [x]\ndefault: 1',
      [expect.stringContaining('2:3'), expect.stringContaining('3:'), expect.stringContaining('4:1')],
    ],
    ['broken YAML', 'rules: [', [expect.stringMatching(/^1:\d+ /)]],
    ['two documents', '{}\n---\n{}', ['2:1 must be one document']],
  ])('with %s is refused whole, naming line and field', (_, text, problems) => {
    expect(readAccessRulesDocument(text)).toEqual({ value: undefined, problems });
  });
});

describe('a watched access rules file', () => {
  let directory: string;
  let path: string;
  let resources: AsyncDisposableStack;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'optix-access-rules-'));
    path = join(directory, 'access.yaml');
  });
  afterAll(async () => await rm(directory, { recursive: true }));
  beforeEach(() => {
    resources = new AsyncDisposableStack();
  });
  afterEach(async () => await resources.disposeAsync());

  const by = (token: string) => `default: {token: ${token}}`;

  async function watch(content: string) {
    const { logger, entries } = collectingLogger();
    const seen: unknown[] = [];
    await writeFile(path, content);
    const onChange = (rules: AccessRules) => {
      const requirement = rules.requirementOf(request('/'), undefined);
      seen.push(typeof requirement === 'string' ? requirement : requirement.token);
    };
    resources.use(new AccessRulesFileWatch({ path, current: content, logger, onChange, everyMs: 20 }));
    return { seen, log: () => entries.map(({ msg }) => String(msg)) };
  }

  it('is taken anew when it changes: written in place, replaced, or behind a link', async () => {
    const { seen } = await watch(by('none'));
    await writeFile(path, by('deny'));
    await vi.waitFor(() => expect(seen).toEqual(['deny']));
    const next = join(directory, 'next');
    await writeFile(next, by('optional'));
    await rename(next, path);
    await vi.waitFor(() => expect(seen.at(-1)).toBe('optional'));
    // As Kubernetes mounts it.
    await mkdir(join(directory, 'v2'));
    await writeFile(join(directory, 'v2', 'access.yaml'), by('required'));
    await symlink(join(directory, 'v2', 'access.yaml'), next);
    await rename(next, path);
    await vi.waitFor(() => expect(seen.at(-1)).toBe('required'));
    await rm(path);
  });

  it('is left alone while it stays as it is', async () => {
    const { seen, log } = await watch(by('none'));
    await writeFile(path, by('none'));
    await sleep(200);
    expect([seen, log()]).toEqual([[], []]);
  });

  it('is refused whole where it is bad, each time once in the log, and taken when it is good again', async () => {
    const { seen, log } = await watch(by('deny'));
    const refusals = () =>
      log().filter((line) => line.includes('is refused: the rules stay as they were')).length;
    await writeFile(path, by('nobody'));
    await vi.waitFor(() => expect(refusals()).toBe(1));
    await rm(path);
    await vi.waitFor(() => expect(refusals()).toBe(2));
    await sleep(200);
    expect([seen, refusals()]).toEqual([[], 2]);
    // Also when it is as it was before.
    await writeFile(path, by('deny'));
    await vi.waitFor(() => expect(seen).toEqual(['deny']));
  });

  it('stops the start where it can not be used, with the setting, the file and the line', async () => {
    const { logger } = collectingLogger();
    const open = async () => await openAccessRules(path, resources, logger);
    await writeFile(path, 'rules:\n- path: [/a]');
    await expect(open()).rejects.toMatchObject({
      problems: [`ACCESS_RULES_FILE ${path}:2:3 rules[0].path is no known field`],
    });
    await writeFile(path, Buffer.from([0xff, 0xfe]));
    await expect(open()).rejects.toThrow('is not UTF-8');
    await writeFile(path, ' '.repeat(300_000));
    await expect(open()).rejects.toThrow('has more than 262144 bytes');
    await rm(path);
    await expect(open()).rejects.toThrow("can't be read: ENOENT");
  });
});
