import type { Metadata } from '@grpc/grpc-js';
import type { HttpFacts } from './http-facts.ts';

/**
 * The facts of a gRPC call, which is an HTTP request too: POST to `/<service>/<method>`. Binary metadata is no header
 * here.
 *
 * @param remoteAddress of the call's connection: `call.getConnectionInfo().remoteAddress`
 */
export function grpcFacts(path: string, metadata: Metadata, remoteAddress: string | undefined): HttpFacts {
  return {
    method: 'POST',
    path,
    remoteAddress,
    header(name) {
      const values = metadata.get(name).filter((value) => typeof value === 'string');
      return values.length === 0 ? undefined : values.join(', ');
    },
  };
}
