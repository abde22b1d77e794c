import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** How many tests there were, by outcome. Skipped ones are in neither. */
export interface TestCounts {
  passed: number;
  failed: number;
}

/** The part of vitest's JSON report that is read here. */
interface Report {
  testResults: {
    /** Path of the file. */
    name: string;
    status: string;
    assertionResults: { status: string; fullName: string }[];
  }[];
}

/** A test that failed, or a whole file that could not be run. */
export interface FailedTest {
  file: string;
  /** Absent where the file failed as a whole. */
  name?: string;
}

/** Counts what vitest's JSON report has. A file that failed as a whole, at its import say, counts as one failed test. */
export function countTests(reportFile: string): TestCounts {
  const counts = { passed: 0, failed: 0 };
  for (const { status, assertionResults } of read(reportFile)) {
    const failed = assertionResults.filter((test) => test.status === 'failed').length;
    counts.passed += assertionResults.filter((test) => test.status === 'passed').length;
    counts.failed += failed === 0 && status === 'failed' ? 1 : failed;
  }
  return counts;
}

/** What failed by vitest's JSON report. */
export function failedTests(reportFile: string): FailedTest[] {
  return read(reportFile).flatMap(({ name: file, status, assertionResults }) => {
    const failed = assertionResults.filter((test) => test.status === 'failed');
    if (failed.length === 0 && status === 'failed') return [{ file }];
    return failed.map(({ fullName }) => ({ file, name: fullName }));
  });
}

/** Those of the failed tests that a second run's report has as passed, as a whole file where that could not be run. */
export function passedAgain(failed: readonly FailedTest[], secondReport: string): FailedTest[] {
  const second = read(secondReport);
  return failed.filter(({ file, name }) => {
    const again = second.find((other) => other.name === file);
    if (name === undefined) return again?.status === 'passed';
    return (
      again?.assertionResults.some((test) => test.fullName === name && test.status === 'passed') ?? false
    );
  });
}

/** Nothing where there is no report: vitest did not come to its end. */
function read(reportFile: string): Report['testResults'] {
  if (!existsSync(reportFile)) return [];
  const report: Report = JSON.parse(readFileSync(reportFile, 'utf8'));
  return report.testResults;
}

/** Percent of lines covered, by the json-summary in a coverage directory; 0 where there is none. */
export function linesCovered(directory: string): number {
  const file = join(directory, 'coverage-summary.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).total.lines.pct : 0;
}
