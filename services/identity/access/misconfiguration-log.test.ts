import { expect, it } from 'vitest';
import { collectingLogger } from '../../../testing/collecting-logger.ts';
import { GatewayMisconfigured } from '../domain/access/gateway-requirement.ts';
import { MisconfigurationLog } from './misconfiguration-log.ts';

it('says what is wrong, as an error, and once a second at most', () => {
  const { logger, entries } = collectingLogger();
  let now = 0;
  const log = new MisconfigurationLog(logger, () => now);
  const error = new GatewayMisconfigured('"role" is no known parameter');
  for (now = 0; now < 2500; now += 100) log.report(error);
  expect(entries).toHaveLength(3);
  expect(entries[0]).toMatchObject({ level: 50, problem: '"role" is no known parameter' });
});
