import { expect, it } from 'vitest';
import { methodName } from '../../runtime/service-table.ts';
import { servicesOf } from '../../testing/services.ts';
import { policy } from './policy.ts';

it('has an entry for each RPC of the service, CallerService and OperationsService included, and an RPC for each entry', async () => {
  const contracts = [
    'optix/ratelimit/v1',
    'optix/callers/v1',
    'optix/operations/v1',
    'envoy/service/ratelimit/v3',
  ];
  const services = (await Promise.all(contracts.map(servicesOf))).flat();
  const rpcs = services.flatMap((service) => service.methods.map(methodName));
  expect(rpcs.length).toBeGreaterThan(10);
  const routes = ['GET /forward-auth/nginx', 'GET /forward-auth/traefik', 'GET /metrics'];
  expect([...policy.rpcs].sort()).toEqual([...rpcs, ...routes].sort());
});

it('gives nothing of administration to callers whose entry names no scopes', () => {
  expect([...policy.defaultScopes].filter((scope) => policy.isAdmin(scope))).toEqual([]);
});
