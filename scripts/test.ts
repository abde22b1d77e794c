// Everything that has to hold before a change is merged: `npm test`. The last line is `N passed, N failed`, where each
// check and each test counts for one.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LEAST_LINES_COVERED } from '../vitest.config.ts';
import { ensureChromium } from './ensure-chromium.ts';
import { ensureDockerCompose } from './ensure-docker-compose.ts';
import { ensureGateways } from './ensure-gateways.ts';
import { ensurePrometheus } from './ensure-prometheus.ts';
import { ensureRedis } from './ensure-redis.ts';
import { driftedFiles } from './gen-drift.ts';
import { breakingAgainstMain } from './proto-breaking.ts';
import { Interrupted, runCommand } from './run-command.ts';
import { countTests, failedTests, linesCovered, passedAgain } from './vitest-results.ts';

/** More than these failing is no accident of a busy machine. */
const MAX_FILES_AGAIN = 4;

type Outcome = boolean | { skipped: string };

const scratch = mkdtempSync(join(tmpdir(), 'optix-checks-'));
// buf needs a place for its cache even though all contracts are here, and there may be no home directory.
process.env['BUF_CACHE_DIR'] = join(scratch, 'buf');
// Tools that ask Node to cache what it compiled would leave that behind.
process.env['NODE_COMPILE_CACHE'] = join(scratch, 'compile-cache');

let passed = 0;
let failed = 0;
let tests = 0;

async function check(name: string, run: () => Promise<Outcome>): Promise<void> {
  console.log(`\n== ${name}`);
  let outcome: Outcome;
  try {
    outcome = await run();
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    console.error((error as Error).message);
    outcome = false;
  }
  if (typeof outcome === 'object') {
    console.log(`${name}: skipped (${outcome.skipped})`);
    return;
  }
  console.log(`${name}: ${outcome ? 'passed' : 'failed'}`);
  if (outcome) passed += 1;
  else failed += 1;
}

async function succeeds(program: string, ...args: string[]): Promise<boolean> {
  const { code } = await runCommand(program, args);
  return code === 0;
}

async function generatedCodeIsCurrent(): Promise<boolean> {
  const files = await driftedFiles(join(scratch, 'generated'));
  for (const file of files) console.error(`gen/${file} is not what buf generate makes: run npm run gen`);
  return files.length === 0;
}

async function contractsAreCompatible(): Promise<Outcome> {
  const result = await breakingAgainstMain(scratch);
  return typeof result === 'number' ? result === 0 : result;
}

/** Runs the tests of some files, or all. */
async function runTests(report: string, ...args: string[]): Promise<number> {
  const { code } = await runCommand(process.execPath, [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...args,
  ]);
  return code;
}

/**
 * Vitest fails as a check of its own where its tests pass and it is not content: coverage, an unhandled error.
 *
 * Many tests here race, stop and kill real servers, and need the machine to come round in time. Where a few fail
 * beside the others, their files are run once more by themselves, and what fails there too has failed. Each that passed
 * only then is named.
 */
async function vitest(): Promise<Outcome> {
  const report = join(scratch, 'vitest.json');
  const coverage = join(scratch, 'coverage');
  let code = await runTests(
    report,
    '--coverage.enabled',
    '--coverage.reportOnFailure',
    '--coverage.reporter=text-summary',
    '--coverage.reporter=json-summary',
    `--coverage.reportsDirectory=${coverage}`,
  );
  const counts = countTests(report);
  const first = failedTests(report);
  const files = [...new Set(first.map(({ file }) => file))];
  if (files.length > 0 && files.length <= MAX_FILES_AGAIN) {
    const again = join(scratch, 'vitest-again.json');
    console.log(`\n== tests that failed beside the others, alone: ${files.join(', ')}`);
    code = await runTests(again, '--maxWorkers=1', ...files);
    for (const { file, name } of passedAgain(first, again)) {
      console.log(`passed alone, failed beside the others: ${file}: ${name ?? 'the whole file'}`);
      counts.failed -= 1;
      counts.passed += 1;
    }
    if (code === 0 && linesCovered(coverage) < LEAST_LINES_COVERED) code = 1;
  }
  tests = counts.passed + counts.failed;
  passed += counts.passed;
  failed += counts.failed;
  if (tests === 0) console.error('no test ran');
  return counts.failed > 0 ? { skipped: 'tests failed' } : code === 0 && tests > 0;
}

try {
  await check('redis-server', async () => Boolean(await ensureRedis()));
  await check('chromium', async () => Boolean(await ensureChromium()));
  await check('docker-compose', async () => Boolean(await ensureDockerCompose()));
  await check('gateways', async () => {
    await ensureGateways();
    return true;
  });
  await check('promtool', async () => Boolean(await ensurePrometheus()));
  await check('types', () => succeeds('tsc', '-p', '.'));
  await check('lint and format', () => succeeds('biome', 'check', '.'));
  await check('contracts: lint', () => succeeds('buf', 'lint'));
  await check('contracts: compatible with main', contractsAreCompatible);
  await check('contracts: generated code', generatedCodeIsCurrent);
  await check('tests and coverage', vitest);
} catch (error) {
  if (!(error instanceof Interrupted)) throw error;
  console.error(error.message);
  failed += 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || tests === 0 ? 1 : 0;
