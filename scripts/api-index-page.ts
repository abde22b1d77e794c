import type { DescService } from '@bufbuild/protobuf';
import { pageOf, SHARED_PAGE } from './api-places.ts';
import { otherRoutesOf, SERVERS, type Server, servicesOf } from './api-servers.ts';
import { GENERATED_API } from './api-service-page.ts';
import type { ApiTypes } from './api-types.ts';
import { anchorOf, code, page, table } from './markdown.ts';

/** What there is, served where, and how to call it. */
export function indexPage(services: readonly DescService[], types: ApiTypes): string {
  const sections = SERVERS.flatMap((server) => [
    `## ${server.name}`,
    `gRPC on port ${server.grpcPort}, HTTP on port ${server.httpPort}, unless set otherwise.`,
    table(
      ['service', 'for', 'RPCs'],
      services
        .filter(({ typeName }) => servicesOf(server).includes(typeName))
        .map((service) => [
          `[${service.typeName}](${pageOf(service)})`,
          types.summary(service, service.file.proto.package),
          service.methods.map(({ name }) => `[${name}](${pageOf(service)}#${anchorOf(name)})`).join(', '),
        ]),
    ),
    ...otherRoutes(server),
  ]);
  return page([
    '# API',
    GENERATED_API,
    'Every RPC of both services with its messages, the scope that it needs and its errors. Each is served over gRPC and, as `POST /<service>/<RPC>`, over HTTP: Connect (JSON or binary) and gRPC-Web.',
    '```sh\ncurl -s http://localhost:8082/optix.ratelimit.v1.RateLimitService/CheckLimit \\\n  -H \'content-type: application/json\' -d \'{"endpoint":"orders","identifier":"user:4711"}\'\n```',
    [
      '- Where callers are authenticated, add `authorization: Bearer <API key>` ([callers](../callers.md)). A caller without the scope is refused with PERMISSION_DENIED (`CALLER_NOT_PERMITTED`), one without a good credential with UNAUTHENTICATED (`CALLER_UNAUTHENTICATED`).',
      '- JSON is protobuf\'s (<https://protobuf.dev/programming-guides/json/>): requests take field names as written here or in lowerCamelCase, answers have lowerCamelCase. 64-bit integers are strings, `bytes` base64, a Timestamp is `"2026-11-22T17:00:00Z"`, a Duration `"1.5s"`, a FieldMask `"firstName,lastName"`, an enum\'s value its name. Unknown fields are refused.',
      '- Streams over HTTP speak the Connect protocol (`application/connect+json`); streams in both directions need HTTP/2.',
      '- Beside the errors that an RPC names, every one can answer INVALID_ARGUMENT (`INVALID_REQUEST`) for a request that is out of its bounds, and INTERNAL. All codes and reasons: [errors](../architecture.md#errors). Their details: [messages](messages.md).',
      '- Health (`grpc.health.v1`, `GET /health`) and server reflection need no credential: [health](../architecture.md#health).',
    ].join('\n'),
    ...sections,
    '## Shared messages',
    `[Messages](${SHARED_PAGE}) that several services use, and details of errors.`,
  ]);
}

function otherRoutes(server: Server): readonly string[] {
  const routes = otherRoutesOf(server);
  if (routes.length === 0) return [];
  return [
    table(
      ['HTTP only ([forward-auth](../gateways.md#forward-auth))', 'scope'],
      routes.map(([route, scope]) => [code(route), scope]),
    ),
  ];
}
