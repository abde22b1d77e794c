import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REQUIRED_BY_COMPOSE } from '../scripts/env-example.ts';

const SCRIPT = fileURLToPath(new URL('./new-secrets.sh', import.meta.url));

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'optix-secrets-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function newSecrets(name: string, env: NodeJS.ProcessEnv = process.env) {
  const file = join(directory, name);
  const { status, stderr } = spawnSync('/bin/sh', [SCRIPT, file], { encoding: 'utf8', env });
  return { file, status, stderr };
}

const read = (file: string) => parseEnv(readFileSync(file, 'utf8'));
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('deploy/new-secrets.sh', () => {
  it('writes every secret that docker-compose.yml asks for, to a file that others can not read', () => {
    const { file, status } = newSecrets('complete');
    expect(status).toBe(0);
    expect(Object.keys(read(file)).sort()).toEqual([...REQUIRED_BY_COMPOSE].sort());
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('makes 256 random bits for each, in a form that a URL takes', () => {
    const [one, other] = [read(newSecrets('one').file), read(newSecrets('other').file)];
    for (const name of REQUIRED_BY_COMPOSE) expect(one[name]).not.toBe(other[name]);
    expect(one['POSTGRES_PASSWORD']).toMatch(/^[0-9a-f]{64}$/);
    expect(one['REDIS_PASSWORD']).toMatch(/^[0-9a-f]{64}$/);
    expect(Buffer.from(one['IDENTITY_ENCRYPTION_KEY'] ?? '', 'base64')).toHaveLength(32);
    expect(new Set(Object.values(one)).size).toBe(REQUIRED_BY_COMPOSE.length);
  });

  it('shows the API keys once, and keeps digests of those that only callers need', () => {
    const { file, stderr } = newSecrets('keys');
    const env = read(file);
    const [backend, gateway] = ['identity', 'ratelimit'].map(
      (service) => new RegExp(`calls ${service} +([0-9a-f]{64})$`, 'm').exec(stderr)?.[1] ?? '',
    ) as [string, string];
    const operator = /operator, every RPC of both +([0-9a-f]{64})$/m.exec(stderr)?.[1] ?? '';
    expect(env['IDENTITY_CALLER_KEYS']).toBe(`backend=${sha256(backend)},operator=${sha256(operator)};*`);
    expect(env['RATELIMIT_CALLER_KEYS']).toBe(
      `identity=${sha256(env['RATELIMIT_API_KEY'] ?? '')},gateway=${sha256(gateway)},operator=${sha256(operator)};*`,
    );
    expect(readFileSync(file, 'utf8')).not.toContain(operator);
    expect(readFileSync(file, 'utf8')).not.toContain(backend);
    expect(readFileSync(file, 'utf8')).not.toContain(gateway);
  });

  it('never touches a file that exists', () => {
    writeFileSync(join(directory, 'kept'), 'IDENTITY_ENCRYPTION_KEY=the one that matters\n');
    const { file, status, stderr } = newSecrets('kept');
    expect(status).toBe(1);
    expect(stderr).toContain(`${file} exists`);
    expect(readFileSync(file, 'utf8')).toBe('IDENTITY_ENCRYPTION_KEY=the one that matters\n');
  });

  it('writes nothing where the tools are missing', () => {
    const { file, status } = newSecrets('no-tools', { PATH: directory });
    expect(status).not.toBe(0);
    expect(() => statSync(file)).toThrow();
  });
});
