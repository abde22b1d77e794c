import { Client, credentials, loadPackageDefinition, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** A client made at run time from a .proto file alone, as other languages' tools make theirs. */
export function foreignClient(
  address: string,
  proto: string,
  path: readonly string[],
): InstanceType<ServiceClientConstructor> {
  let found: unknown = loadPackageDefinition(loadSync(proto, { keepCase: true, enums: String }));
  for (const name of path) found = (found as Record<string, unknown>)[name];
  if (!(typeof found === 'function' && found.prototype instanceof Client)) {
    throw new Error(`${path.join('.')} is no service of ${proto}`);
  }
  return new (found as ServiceClientConstructor)(address, credentials.createInsecure());
}
