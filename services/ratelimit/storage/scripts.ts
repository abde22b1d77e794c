import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Algorithm } from '../domain/algorithm.ts';
import type { Limit } from '../domain/limit.ts';

/** A script as Redis gets it, and the SHA-1 (40 hex digits) that it then knows it by. */
export interface Script {
  readonly source: string;
  readonly sha: string;
}

/** How a limit spec begins, and which file of lua/ counts such limits. */
const ALGORITHMS: Readonly<Record<Algorithm, readonly [code: string, file: string]>> = {
  SLIDING_WINDOW_LOG: ['L', 'sliding-window-log.lua'],
  SLIDING_WINDOW_COUNTER: ['C', 'sliding-window-counter.lua'],
  TOKEN_BUCKET: ['B', 'token-bucket.lua'],
  FIXED_WINDOW: ['F', 'fixed-window.lua'],
  CONCURRENCY: ['H', 'concurrency.lua'],
};

/** KEYS, ARGV and reply of each are at the head of its file in lua/. */
export const DECIDE: Script = compose('decide.lua');
export const REFUND: Script = compose('refund.lua');
export const RENEW: Script = compose('renew.lua');
export const SETTLE: Script = compose('settle.lua');

const specs = new WeakMap<Limit, string>();

/** The text a limit travels in to the scripts; prelude.lua reads it. */
export function limitSpec(limit: Limit): string {
  let spec = specs.get(limit);
  if (spec === undefined) {
    const [code] = ALGORITHMS[limit.algorithm];
    spec = `${code}${limit.limit},${limit.windowMicros},${limit.burst}${limit.shadow ? '!' : ''}`;
    specs.set(limit, spec);
  }
  return spec;
}

/**
 * The prelude, the algorithms, and the script proper. Redis runs all of it on each call, so an algorithm's functions
 * are made only once a call meets such a limit.
 */
function compose(file: string): Script {
  const branches = Object.values(ALGORITHMS).map(
    ([code, algorithm]) => `if code == '${code}' then\n${read(algorithm)}`,
  );
  const source = [
    read('prelude.lua'),
    `local deciding = ${file === 'decide.lua'}`,
    'load_algorithm = function(code)',
    `${branches.join('else')}end`,
    "error('unknown limit spec', 0)",
    'end',
    read(file),
  ].join('\n');
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

function read(file: string): string {
  return readFileSync(new URL(`./lua/${file}`, import.meta.url), 'utf8');
}
