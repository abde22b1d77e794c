import { afterAll, beforeAll } from 'vitest';
import { byUser } from './keys.ts';
import type { HttpLimitOptions } from './limit-request.ts';
import { startTestLimits, type TestLimits } from './testing-middleware.ts';

/** What the handlers behind the middleware do. */
export interface TestHandlers {
  /** Told of each request that reached a handler. */
  readonly reached: () => void;
  /** `GET /hold` begins its answer, and ends it when this does. */
  readonly held: Promise<void>;
}

/** An application of one framework that limits all of `GET /ok`, `POST /ok`, `GET /fail` (it throws) and `GET /hold`. */
export type StartApp = (
  options: HttpLimitOptions<unknown>,
  handlers: TestHandlers,
) => Promise<{ readonly url: string; readonly close: () => Promise<unknown> }>;

type Options = Omit<HttpLimitOptions<unknown>, 'limiter' | 'endpoint' | 'key'> &
  Partial<Pick<HttpLimitOptions<unknown>, 'limiter' | 'endpoint' | 'key'>>;

/** An application that runs. */
export interface TestApp {
  /** Asks as the user `ada`. */
  get(path: string, headers?: Record<string, string>, init?: RequestInit): Promise<Response>;
  /** How many requests reached a handler. */
  handled(): number;
  /** Ends what is held. */
  release(): void;
}

/** What the specifications of HTTP middleware work with. */
export interface HttpBench {
  readonly limits: TestLimits;
  /** Starts an application with these options; by default it counts by the header `x-user`. */
  start(options: Options): Promise<TestApp>;
  /** What the user `ada` has left. */
  remainingOf(endpoint: string): Promise<number | undefined>;
}

/** Counts by the header `x-user`. */
export const key = byUser((_: unknown, facts) => facts.header('x-user'));

/** A bench for the tests of the block it is made in. */
export function httpBench(startApp: StartApp): HttpBench {
  const resources = new AsyncDisposableStack();
  let limits: TestLimits;
  beforeAll(async () => {
    limits = resources.use(await startTestLimits());
  });
  afterAll(() => resources.disposeAsync());
  return {
    get limits() {
      return limits;
    },
    async start(options) {
      let handled = 0;
      const hold = Promise.withResolvers<void>();
      const reached = () => {
        handled += 1;
      };
      const all = { limiter: limits.limiter, endpoint: 'api', key, ...options };
      const app = await startApp(all, { reached, held: hold.promise });
      resources.defer(async () => {
        hold.resolve();
        await app.close();
      });
      return {
        get: (path, headers = {}, init = {}) =>
          fetch(`${app.url}${path}`, { headers: { 'x-user': 'ada', ...headers }, ...init }),
        handled: () => handled,
        release: hold.resolve,
      };
    },
    async remainingOf(endpoint) {
      return (await limits.limiter.peek({ endpoint, identifier: 'user:ada' })).decision?.remaining;
    },
  };
}

/** What a response tells of limits. */
export function headersOf(response: Response): Record<string, string> {
  return Object.fromEntries([...response.headers].filter(([name]) => /ratelimit|retry-after/.test(name)));
}
