import { spawnSync } from 'node:child_process';
import { findGateway } from '../testing/gateways.ts';

/** The path of Prometheus' own checker, where there is one. */
export function findPromtool(): string | undefined {
  return findGateway('promtool');
}

/**
 * Runs promtool.
 *
 * @returns what it wrote, and its exit code: 0 where all is well
 * @throws Error where there is no promtool
 */
export function promtool(...args: string[]): { readonly code: number | null; readonly output: string } {
  const program = findPromtool();
  if (program === undefined) throw new Error('the tests need promtool: `apt-get install prometheus`');
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  return { code: status, output: `${stdout}${stderr}` };
}
