import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { countTests, failedTests, linesCovered, passedAgain } from './vitest-results.ts';

function reportOf(files: Record<string, { status?: string; tests: Record<string, string> }>): string {
  const directory = mkdtempSync(join(tmpdir(), 'optix-results-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const testResults = Object.entries(files).map(([name, { status = 'passed', tests }]) => ({
    name,
    status,
    assertionResults: Object.entries(tests).map(([fullName, outcome]) => ({ fullName, status: outcome })),
  }));
  const file = join(directory, 'report.json');
  writeFileSync(file, JSON.stringify({ testResults }));
  return file;
}

const first = () =>
  reportOf({
    a: { status: 'failed', tests: { one: 'passed', two: 'failed', three: 'skipped' } },
    b: { status: 'failed', tests: {} },
    c: { tests: { four: 'passed' } },
  });

it('counts tests by outcome, and a file that could not be run as one', () => {
  expect(countTests(first())).toEqual({ passed: 2, failed: 2 });
  expect(failedTests(first())).toEqual([{ file: 'a', name: 'two' }, { file: 'b' }]);
});

it('counts nothing where there is no report', () => {
  expect(countTests('/nowhere')).toEqual({ passed: 0, failed: 0 });
  expect(linesCovered('/nowhere')).toBe(0);
});

it('takes for passed again what a second report says passed, and nothing else', () => {
  const failed = failedTests(first());
  const well = reportOf({ a: { tests: { two: 'passed' } }, b: { tests: { five: 'passed' } } });
  expect(passedAgain(failed, well)).toEqual(failed);
  const ill = reportOf({
    a: { status: 'failed', tests: { two: 'failed' } },
    b: { status: 'failed', tests: { five: 'failed' } },
  });
  for (const report of [ill, '/nowhere', reportOf({ a: { tests: { two: 'skipped' } } })])
    expect(passedAgain(failed, report)).toEqual([]);
});
