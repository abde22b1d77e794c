import type { DescService } from '@bufbuild/protobuf';
import { type Client, createClient, createRouterTransport, type ServiceImpl } from '@connectrpc/connect';
import { pino } from 'pino';
import { AccessControl } from '../../../runtime/callers/access-control.ts';
import { Pipeline } from '../../../runtime/pipeline.ts';
import type { ServiceTable } from '../../../runtime/service-table.ts';
import { ERROR_DOMAIN, toRpcError } from '../errors.ts';
import { policy } from '../policy.ts';

/** Who calls. */
export interface TestCaller {
  /** Default: `console`. */
  readonly name?: string;
  /** Default: all that there are. */
  readonly scopes?: readonly string[] | undefined;
}

/** Handlers behind the pipeline, for this caller. */
export function behindPipeline(
  table: ServiceTable,
  { name = 'console', scopes = [...policy.scopes] }: TestCaller = {},
): ServiceTable {
  const caller = { name, scopes: new Set(scopes), credential: 'api_key' as const };
  const pipeline = new Pipeline({
    domain: ERROR_DOMAIN,
    logger: pino({ level: 'silent' }),
    accessLog: 'off',
    access: new AccessControl({
      domain: ERROR_DOMAIN,
      policy,
      authenticator: { authenticate: () => caller, callersOf: () => undefined },
      adminRpcs: true,
    }),
    rules: [],
    mapError: toRpcError,
  });
  return pipeline.wrap(table);
}

/** A client of handlers behind the pipeline that needs no port. */
export function testClient<S extends DescService>(
  service: S,
  table: ServiceTable,
  caller?: TestCaller,
): Client<S> {
  const implementation = behindPipeline(table, caller).handlers as unknown as Partial<ServiceImpl<S>>;
  return createClient(
    service,
    createRouterTransport((router) => router.service(service, implementation)),
  );
}

/** A table of some of a service's handlers. */
export function partialTable<S extends DescService>(
  service: S,
  handlers: Partial<ServiceImpl<S>>,
): ServiceTable {
  const methods = service.methods.filter(({ localName }) => localName in handlers);
  return { service: { ...service, methods }, handlers: handlers as ServiceTable['handlers'], encoders: {} };
}
