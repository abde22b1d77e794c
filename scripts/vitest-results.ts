import { existsSync, readFileSync } from 'node:fs';

/** How many tests there were, by outcome. Skipped ones are in neither. */
export interface TestCounts {
  passed: number;
  failed: number;
}

/** The part of vitest's JSON report that is read here. */
interface Report {
  testResults: {
    status: string;
    assertionResults: { status: string }[];
  }[];
}

/** Counts what vitest's JSON report has. A file that failed as a whole, at its import say, counts as one failed test. */
export function countTests(reportFile: string): TestCounts {
  const counts = { passed: 0, failed: 0 };
  if (!existsSync(reportFile)) return counts;
  const report: Report = JSON.parse(readFileSync(reportFile, 'utf8'));
  for (const { status, assertionResults } of report.testResults) {
    const failed = assertionResults.filter((test) => test.status === 'failed').length;
    counts.passed += assertionResults.filter((test) => test.status === 'passed').length;
    counts.failed += failed === 0 && status === 'failed' ? 1 : failed;
  }
  return counts;
}
