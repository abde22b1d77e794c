import { answersSpec } from './testing-http-answers.ts';
import { httpBench, type StartApp } from './testing-http-bench.ts';
import { countingSpec } from './testing-http-counting.ts';
import { refundsSpec } from './testing-http-refunds.ts';

/** What every HTTP framework's middleware does, over real HTTP against a real rate limiter. */
export function httpMiddlewareSpec(startApp: StartApp): void {
  const bench = httpBench(startApp);
  answersSpec(bench);
  countingSpec(bench);
  refundsSpec(bench);
}
