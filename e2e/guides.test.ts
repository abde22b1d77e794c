/**
 * Does what the guides tell their reader, as e2e/readme.test.ts does with README, on one pair of services for all of them;
 * and keeps an account of every command that stands on any page.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ROOT } from '../scripts/run-command.ts';
import { blocksOf, stepsOf } from './readme/blocks.ts';
import { Guide } from './readme/guide.ts';

/** Pages that are followed here, from top to bottom, one after another on the same services. */
const GUIDES = [
  'docs/quickstart.md',
  'docs/operations.md',
  'docs/troubleshooting.md',
  'docs/upgrades.md',
  'docs/audit.md',
  'docs/callers.md',
  'docs/maintenance.md',
  'docs/rate-limiting.md',
  'docs/tls.md',
  'docs/runbook.md',
];

/** Where the commands of other pages are run. */
const RUN_BY: Readonly<Record<string, string>> = {
  'README.md': 'e2e/readme.test.ts',
  'docs/cli.md': 'bin/cli-docs.test.ts',
  'docs/gateways.md': 'e2e/gateways-docs.test.ts',
  'docs/clients.md': 'e2e/gateways-docs.test.ts',
  'docs/simulate.md': 'bin/simulate.test.ts',
  'docs/backup.md': 'e2e/backup-docs.test.ts',
  'docs/logs.md': 'bin/log.test.ts',
  'docs/tracing.md': 'e2e/tracing.test.ts',
};

const NOT_RUN = /^not run: \S/;
const MANIFEST = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>;
};

function textOf(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8');
}

/** What of a page is followed: where only its commands are of interest, answers are left out. */
function stepsToFollow(page: string) {
  const commands = /<!-- readme-test: commands only -->/.test(textOf(page));
  if (!commands) return stepsOf(textOf(page));
  const shell = blocksOf(textOf(page)).filter(
    ({ language, directive }) => language === 'sh' || directive !== '',
  );
  return stepsOf(
    shell.map(({ language, directive, text }) => markdownOf(language, directive, text)).join('\n'),
  );
}

function markdownOf(language: string, directive: string, text: string): string {
  const comment = directive === '' ? '' : `<!-- readme-test: ${directive} -->\n`;
  return `${comment}\`\`\`${language}\n${text}\`\`\`\n`;
}

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

let guide: Guide;
beforeAll(async () => {
  guide = await Guide.start(MANIFEST.scripts['start'] ?? '');
});
afterAll(async () => await guide?.[Symbol.asyncDispose]());

it('npx finds the command in a checkout, whatever release of Node the system has', async () => {
  await guide.openTerminal();
  expect(await guide.run('npx optix --version')).toMatchObject({
    code: 0,
    output: expect.stringMatching(/\d+\.\d+\.\d+/),
  });
});

describe.each(GUIDES)('%s, followed from top to bottom', (page) => {
  beforeAll(async () => await guide.openTerminal({ quick: true }));

  it.each(
    stepsToFollow(page).map((step, index) => ({
      ...step,
      title: `${index + 1}. ${step.text.split('\n')[0]}`,
    })),
  )('$title', async (step) => await guide.follow(step));
});

describe('every command that a page shows', () => {
  const pages = globSync(['*.md', 'docs/*.md', 'deploy/**/*.md'], { cwd: ROOT });

  it('is run by a test, or says why not', () => {
    const unaccounted = pages.flatMap((page) =>
      GUIDES.includes(page) || page in RUN_BY
        ? []
        : blocksOf(textOf(page))
            .filter(({ language, directive }) => language === 'sh' && !NOT_RUN.test(directive))
            .map(({ text }) => `${page}: ${text.split('\n')[0]}`),
    );
    expect(unaccounted).toEqual([]);
  });

  it.each(Object.entries(RUN_BY))('%s is run by %s, which reads it', (page, test) => {
    expect(textOf(test)).toContain(page.replace(/^docs\//, ''));
  });
});

/** What a log line or an error says, as the first column of a table of troubleshooting quotes it. */
function quotedMessages(): string[] {
  const rows = textOf('docs/troubleshooting.md').matchAll(/^\| `([a-z][^`]*? [^`]*)` \|/gm);
  return [...rows].flatMap(([, message = '']) => message);
}

describe('the messages that troubleshooting quotes', () => {
  const sources = globSync(['services/**/*.ts', 'runtime/**/*.ts', 'stack/**/*.ts', 'bin/**/*.ts'], {
    cwd: ROOT,
    exclude: (name) => name.endsWith('.test.ts'),
  }).map(textOf);

  it('are there', () => expect(quotedMessages().length).toBeGreaterThan(10));

  it.each(quotedMessages())('%s', (message) => {
    expect(sources.some((source) => source.includes(message))).toBe(true);
  });
});
