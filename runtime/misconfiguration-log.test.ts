import { expect, it } from 'vitest';
import { collectingLogger } from '../testing/collecting-logger.ts';
import { MisconfigurationLog } from './misconfiguration-log.ts';

it('says what is wrong, as an error, and not with each request', () => {
  const { logger, entries } = collectingLogger();
  const log = new MisconfigurationLog(logger, 'GET /door');
  for (let times = 0; times < 10; times += 1) log.report('"role" is no known parameter');
  expect(entries).toMatchObject([
    { level: 50, rpc: 'GET /door', problem: '"role" is no known parameter', kept_back: 0 },
  ]);
});
