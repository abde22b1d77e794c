/**
 * The floor of signing in: argon2id by node:crypto and nothing else, run as a process of its own. Reads a plan as JSON
 * from standard input and prints one line of JSON: `{ "perSecond", "cpuMs" }`, the latter for each hash.
 */
import { argon2, randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import type { Argon2Cost } from '../services/identity/domain/password-hashes/argon2.ts';

/** What to hash: at which cost, how many at once, for how long. */
export interface BareArgon2Plan extends Argon2Cost {
  readonly concurrency: number;
  readonly seconds: number;
}

export interface BareArgon2Result {
  readonly perSecond: number;
  readonly cpuMs: number;
}

const plan = JSON.parse(await text(process.stdin)) as BareArgon2Plan;
const parameters = {
  ...{ message: randomBytes(20), nonce: randomBytes(16), tagLength: 32 },
  ...{ memory: plan.memoryKiB, passes: plan.passes, parallelism: plan.parallelism },
};
let hashes = 0;

async function hashUntil(deadlineMs: number): Promise<void> {
  while (performance.now() < deadlineMs) {
    await new Promise<void>((resolve, reject) => {
      argon2('argon2id', parameters, (error) => (error === null ? resolve() : reject(error)));
    });
    hashes += 1;
  }
}

const startedAt = performance.now();
const cpuBefore = process.cpuUsage();
const deadlineMs = startedAt + plan.seconds * 1000;
await Promise.all(Array.from({ length: plan.concurrency }, () => hashUntil(deadlineMs)));
const { user, system } = process.cpuUsage(cpuBefore);
const result: BareArgon2Result = {
  perSecond: (hashes * 1000) / (performance.now() - startedAt),
  cpuMs: (user + system) / 1000 / hashes,
};
console.log(JSON.stringify(result));
