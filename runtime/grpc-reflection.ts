import { type DescFile, type DescService, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import type { ServiceDefinition } from '@grpc/grpc-js';
import type { ReflectionService } from '@grpc/reflection';

type PackageDefinition = ConstructorParameters<typeof ReflectionService>[0];

/**
 * The descriptors of the services, with all the files they import, in the form that the reflection service reads.
 * `more` are services that came with descriptors of their own.
 */
export function reflectionPackage(
  services: readonly DescService[],
  ...more: readonly ServiceDefinition[]
): PackageDefinition {
  const files = new Map<string, DescFile>();
  const collect = (file: DescFile): void => {
    if (files.has(file.name)) return;
    files.set(file.name, file);
    for (const dependency of file.dependencies) collect(dependency);
  };
  for (const service of services) collect(service.file);
  const fileDescriptorProtos = [...files.values()].map((file) =>
    Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)),
  );
  const descriptors = {
    format: 'Protocol Buffer 3 DescriptorProto',
    type: {},
    fileDescriptorProtos,
  } as never;
  const others = more.flatMap((service) => Object.values(service)).map(descriptorFiles);
  return Object.fromEntries([descriptors, ...others].map((entry, index) => [String(index), entry]));
}

/** grpc-js methods made by proto-loader carry their message types, and these carry the files. */
function descriptorFiles(method: object): PackageDefinition[string] {
  return (method as { requestType?: PackageDefinition[string] }).requestType as PackageDefinition[string];
}
