import { expect, it } from 'vitest';
import { methodName } from '../../runtime/service-table.ts';
import { servicesOf } from '../../testing/services.ts';
import { policy } from './policy.ts';

it('has an entry for each RPC of the service, CallerService included, and an RPC for each entry', async () => {
  const services = [...(await servicesOf('optix/ratelimit/v1')), ...(await servicesOf('optix/callers/v1'))];
  const rpcs = services.flatMap((service) => service.methods.map(methodName));
  expect(rpcs.length).toBeGreaterThan(10);
  expect([...policy.rpcs].sort()).toEqual(rpcs.sort());
});

it('gives nothing of administration to callers whose entry names no scopes', () => {
  expect([...policy.defaultScopes].filter((scope) => policy.isAdmin(scope))).toEqual([]);
});
