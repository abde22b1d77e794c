import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createLimiter } from '../clients/ratelimit/create-limiter.ts';
import type { LimitAnswer, Limiter, LimiterState } from '../clients/ratelimit/limiter.ts';
import type { LimiterOptions } from '../clients/ratelimit/limiter-options.ts';
import { makeAuthority, makeCertificate } from '../testing/certificates.ts';
import { failure } from '../testing/failure.ts';
import { testRedisUrl } from '../testing/redis.ts';
import { startTestRateLimit } from '../testing/services.ts';
import { startBreakableProxy } from './breakable-proxy.ts';
import { StoppableLimiter } from './stoppable-limiter.ts';

const RULES = `rules:
  - { name: once, limits: [ { limit: 1, window: 1h } ] }
  - { name: api_default, limits: [ { limit: 1000000, window: 1h, algorithm: FIXED_WINDOW } ] }
`;
const CHECK = { endpoint: 'orders', identifier: 'user:1' };
/** Beside a time-out, on a machine that does other things too. */
const SLACK_MS = 400;

const directory = mkdtempSync(join(tmpdir(), 'optix-e2e-limiter-'));
let service: StoppableLimiter;
beforeAll(async () => {
  const rules = join(directory, 'rules.yaml');
  writeFileSync(rules, RULES);
  service = new StoppableLimiter({
    ...{ REDIS_URL: testRedisUrl(), RATELIMIT_RULES_FILE: rules },
    // A slow moment of this machine must not look like a store that is away.
    REDIS_TIMEOUT_MS: '5000',
  });
  await service.start();
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

function limiter(options: Partial<LimiterOptions> = {}) {
  const states: LimiterState[] = [];
  const made = createLimiter({
    ...{ address: service.address, whenUnreachable: 'allow' },
    onStateChange: (state) => states.push(state),
    ...options,
  });
  onTestFinished(() => made[Symbol.dispose]());
  return { limiter: made, states };
}

/** An answer, and after how many ms it came. */
async function timed(call: Promise<LimitAnswer>): Promise<LimitAnswer & { readonly ms: number }> {
  const started = performance.now();
  const answer = await call;
  return { ...answer, ms: performance.now() - started };
}

async function untilAnswered(asked: Limiter): Promise<number> {
  const started = performance.now();
  await expect
    .poll(async () => (await asked.check(CHECK)).answeredBy, { timeout: 10_000, interval: 20 })
    .toBe('service');
  return performance.now() - started;
}

const by = (answers: readonly LimitAnswer[], who: LimitAnswer['answeredBy']) =>
  answers.filter(({ answeredBy }) => answeredBy === who);

describe.each(['stream', 'unary'] as const)('a service that hangs, asked over transport %s', (transport) => {
  it('costs one time-out; then the policy answers at once, until it goes on', async () => {
    const { limiter: asked, states } = limiter({ transport, timeoutMs: 500 });
    expect((await asked.check(CHECK)).answeredBy).toBe('service');
    service.hang();
    onTestFinished(() => service.goOn());
    const first = await timed(asked.check(CHECK));
    expect(first).toMatchObject({ allowed: true, answeredBy: 'policy', decision: undefined });
    expect(first.ms).toBeGreaterThan(498);
    expect(first.ms).toBeLessThan(500 + SLACK_MS);
    expect([asked.state, states]).toEqual(['unreachable', ['unreachable']]);
    const later = await Promise.all(Array.from({ length: 1_000 }, () => timed(asked.check(CHECK))));
    expect(by(later, 'policy').length).toBe(1_000);
    expect(Math.max(...later.map(({ ms }) => ms))).toBeLessThan(SLACK_MS);
    const batch = await asked.checkAll([CHECK, CHECK]);
    expect(batch).toMatchObject({ allAllowed: true, receipt: '', answers: [{ answeredBy: 'policy' }, {}] });
    expect((await failure(asked.peek(CHECK))).code).toBe(Code.DeadlineExceeded);
    service.goOn();
    await untilAnswered(asked);
    expect([asked.state, states]).toEqual(['reachable', ['unreachable', 'reachable']]);
  });
});

it('a call that gives itself less time is not taken for an outage', async () => {
  const { limiter: asked, states } = limiter({ timeoutMs: 5_000 });
  await asked.check(CHECK);
  service.hang();
  const short = await timed(asked.check(CHECK, { timeoutMs: 50 }));
  service.goOn();
  expect(short.answeredBy).toBe('policy');
  expect(short.ms).toBeLessThan(50 + SLACK_MS);
  expect((await asked.check(CHECK)).answeredBy).toBe('service');
  expect(states).toEqual([]);
});

it('an answer that came in time counts, also where this process was too busy to look', async () => {
  const { limiter: asked, states } = limiter({ timeoutMs: 300 });
  await untilAnswered(asked);
  const call = asked.check(CHECK);
  // Gone by then.
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  const end = performance.now() + 600;
  while (performance.now() < end);
  expect((await call).answeredBy).toBe('service');
  expect(states).toEqual([]);
});

it('a connection that fell silent is replaced', async () => {
  await using proxy = await startBreakableProxy(service.address);
  const { limiter: asked } = limiter({ address: proxy.address, timeoutMs: 300 });
  await untilAnswered(asked);
  await sleep(2_000);
  expect((await asked.check(CHECK)).answeredBy).toBe('service');
  proxy.silence();
  expect((await timed(asked.check(CHECK))).answeredBy).toBe('policy');
  expect(await untilAnswered(asked)).toBeLessThan(2_000);
});

describe('a service that is killed', () => {
  it('with 20,000 checks in flight answers some, the policy the others, and none is asked twice', async () => {
    const { limiter: asked, states } = limiter({ timeoutMs: 8_000 });
    await asked.check(CHECK);
    let users = 0;
    const checkOfOne = async () => {
      const answer = await timed(asked.check({ endpoint: 'once', identifier: `user:${users++}` }));
      if (answer.answeredBy === 'service') answered += 1;
      return answer;
    };
    let answered = 0;
    const inFlight = Promise.all(Array.from({ length: 20_000 }, checkOfOne));
    await expect.poll(() => answered, { interval: 1, timeout: 8_000 }).toBeGreaterThan(2_000);
    await service.kill();
    expect(answered).toBeLessThan(20_000);
    let restarted = false;
    const restart = service.start().then(() => {
      restarted = true;
    });
    const later: Awaited<ReturnType<typeof timed>>[] = [];
    while (!restarted || later.at(-1)?.answeredBy !== 'service') {
      later.push(...(await Promise.all(Array.from({ length: 20 }, checkOfOne))));
      await sleep(5);
    }
    await restart;
    const answers = [...(await inFlight), ...later];
    expect(Math.max(...answers.map(({ ms }) => ms))).toBeLessThan(8_000 + SLACK_MS);
    expect(by(answers, 'policy').length).toBeGreaterThan(0);
    expect(by(answers, 'service').length + by(answers, 'policy').length).toBe(answers.length);
    // Each user has one unit: whoever was asked about twice would be denied.
    expect(answers.filter(({ allowed }) => !allowed)).toEqual([]);
    expect(states).toEqual(['unreachable', 'reachable']);
  });

  it.each(['allow', 'deny', 'throw'] as const)(
    'is answered for as the policy says: %s',
    async (whenUnreachable) => {
      // Nobody listens at port 1.
      const { limiter: asked } = limiter({ address: '127.0.0.1:1', whenUnreachable, timeoutMs: 5_000 });
      const check = async () => (await asked.check(CHECK)).allowed;
      const batch = async () => (await asked.checkAll([CHECK, CHECK])).allAllowed;
      for (const call of [check, batch, check]) {
        if (whenUnreachable === 'throw') expect((await failure(call())).code).toBe(Code.Unavailable);
        else expect(await call()).toBe(whenUnreachable === 'allow');
      }
      for (const call of [() => asked.peek(CHECK), () => asked.refund('r'), () => asked.renew('r')]) {
        expect((await failure(call())).code).toBe(Code.Unavailable);
      }
      expect(asked.state).toBe('unreachable');
    },
  );
});

it('a service that is stopped for another ends the stream, and the other is asked', async () => {
  const { limiter: asked } = limiter({ timeoutMs: 2_000 });
  expect((await asked.check(CHECK)).answeredBy).toBe('service');
  const stopped = service.stop();
  const during: LimitAnswer[] = [];
  let running = true;
  const load = (async () => {
    while (running) {
      during.push(await asked.check(CHECK));
      await sleep(2);
    }
  })();
  await stopped;
  await service.start();
  await untilAnswered(asked);
  running = false;
  await load;
  expect(during.every(({ allowed }) => allowed)).toBe(true);
  expect(by(during, 'policy').length).toBeGreaterThan(0);
});

it.each(['cleartext', 'TLS'])('a process that only holds a limiter comes to its end: %s', async (how) => {
  await using resources = new AsyncDisposableStack();
  let options: object = { address: service.address };
  if (how === 'TLS') {
    const file = (name: string) => join(directory, name);
    makeAuthority(directory, 'authority');
    makeCertificate(directory, 'service', 'authority');
    const secured = await startTestRateLimit({
      TLS_CERT_FILE: file('service.crt'),
      TLS_KEY_FILE: file('service.key'),
    });
    resources.use(secured);
    options = { address: secured.grpcAddress, tls: { ca: readFileSync(file('authority.crt'), 'utf8') } };
  }
  const module = new URL('../clients/ratelimit/create-limiter.ts', import.meta.url).href;
  const program = `
    import { createLimiter } from ${JSON.stringify(module)};
    const limiter = createLimiter({ ...${JSON.stringify(options)}, timeoutMs: 5000 });
    const { answeredBy } = await limiter.check({ endpoint: 'orders', identifier: 'user:1' });
    console.log(answeredBy);
    globalThis.held = limiter;
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 10_000,
  });
  let output = '';
  child.stdout.on('data', (text) => {
    output += String(text);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  expect([code, output.trim()]).toEqual([0, 'service']);
});
