import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};

/** What the Dockerfile copies out of the checkout. */
const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)]
  .flatMap(([, sources]) => (sources ?? '').split(' '))
  .map((source) => source.replace(/\/$/, ''));

/** What containers are told to run. */
const programs = [
  'services/identity/main.ts',
  'services/ratelimit/main.ts',
  'bin/optix.ts',
  'deploy/health-check.ts',
];

/** Imports that are left when types are erased, and files that are read from beside the code. */
const IMPORTS =
  /^(?:import|export)\s+(?!type\b)[^'";]*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm;
const FILES = /new URL\(\s*'(\.[^']*)',\s*import\.meta\.url/g;

/** The files that a program reaches by relative imports, the packages they import, and what else they open. */
function reachable(programs: readonly string[]) {
  const [files, packages, opened] = [new Set<string>(), new Set<string>(), new Set<string>()];
  const visit = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    const source = readFileSync(join(ROOT, file), 'utf8');
    const at = (specifier: string) => relative(ROOT, resolve(join(ROOT, dirname(file)), specifier));
    for (const [, ...found] of source.matchAll(IMPORTS)) {
      const specifier = found.find((text) => text !== undefined) ?? '';
      if (specifier.startsWith('.')) visit(at(specifier));
      else if (!specifier.startsWith('node:')) packages.add(packageOf(specifier));
    }
    for (const [, specifier] of source.matchAll(FILES)) opened.add(at(specifier ?? ''));
  };
  for (const program of programs) visit(program);
  // The checkout itself is the image's /app.
  opened.delete('');
  return { files: [...files], packages: [...packages], opened: [...opened] };
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function isCopied(file: string): boolean {
  return copied.some((source) => file === source || file.startsWith(`${source}/`));
}

describe('the image', () => {
  it('is made of paths that exist', () => {
    expect(copied.length).toBeGreaterThan(5);
    expect(copied.filter((source) => !existsSync(join(ROOT, source)))).toEqual([]);
  });

  it('is given by .dockerignore exactly what it copies', () => {
    const lines = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n');
    const allowed = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    expect(lines.find((line) => line !== '' && !line.startsWith('#'))).toBe('*');
    expect(allowed.sort()).toEqual([...copied].sort());
  });

  it('has every file that its programs import or read', () => {
    const { files, opened } = reachable(programs);
    expect(files).toContain('services/identity/storage/migrate.ts');
    expect(opened).toContain('services/ratelimit/storage/replicas.lua');
    expect([...files, ...opened].filter((file) => !isCopied(file))).toEqual([]);
    expect(files.filter((file) => /\.test\.ts$|(^|\/)testing[-/]/.test(file))).toEqual([]);
  });

  it('has every package that its programs import, which are no development dependencies', () => {
    const { packages } = reachable(programs);
    expect(packages).toContain('@grpc/grpc-js');
    expect(packages.filter((name) => !(name in manifest.dependencies))).toEqual([]);
  });

  it('runs on the version of Node that the tests run on', () => {
    expect(dockerfile).toContain(`ARG NODE_VERSION=${manifest.devDependencies['node']}\n`);
  });

  it('runs Node itself, as a user without rights, so that signals reach it', () => {
    const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
    expect(last).toMatch(/^USER [1-9]\d*:[1-9]\d*$/m);
    expect(last).toMatch(/^ENTRYPOINT \["node"\]$/m);
    expect(last).toMatch(/^CMD \["bin\/optix\.ts", "--help"\]$/m);
  });
});
