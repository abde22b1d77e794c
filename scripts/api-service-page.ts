import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { type ApiPlaces, pageOf } from './api-places.ts';
import { scopesOf, serversOf } from './api-servers.ts';
import type { ApiTypes } from './api-types.ts';
import { anchorOf, code, page, table } from './markdown.ts';

/** Says on each page where it comes from. */
export const GENERATED_API =
  '<!-- Made by `node scripts/api-reference.ts` from proto/ and services/*/policy.ts: change these instead. -->';

/** A service: its RPCs, and the messages that its own file defines. */
export function servicePage(service: DescService, places: ApiPlaces, types: ApiTypes): string {
  const scope = service.file.proto.package;
  const served = serversOf(service).map(
    ({ name, grpcPort, httpPort }) => `${name} (gRPC ${grpcPort}, HTTP ${httpPort})`,
  );
  const file = `${service.file.name}.proto`;
  const overview = table(
    ['RPC', 'scope', 'does'],
    service.methods.map((method) => [
      `[${method.name}](#${anchorOf(method.name)})`,
      scopesOf(method),
      types.summary(method, scope),
    ]),
  );
  return page([
    `# ${service.name}`,
    GENERATED_API,
    `${code(service.typeName)}, served by ${served.join(' and ')}. Contract: [proto/${file}](../../proto/${file}). All services: [API](index.md).`,
    ...types.comment(service, scope),
    overview,
    '## RPCs',
    ...service.methods.map((method) => rpcSection(method, types)),
    '## Messages',
    ...places.typesOn(pageOf(service)).map((type) => types.section(type)),
  ]);
}

const STREAMS: Readonly<Record<DescMethod['methodKind'], string>> = {
  unary: 'one request, one answer',
  server_streaming: 'one request, a stream of answers',
  client_streaming: 'a stream of requests, one answer',
  bidi_streaming: 'a stream of requests, a stream of answers',
};

function rpcSection(method: DescMethod, types: ApiTypes): string {
  const path = `${method.parent.typeName}/${method.name}`;
  const facts = [
    ['gRPC', code(path)],
    ['HTTP', code(`POST /${path}`)],
    ['scope', scopesOf(method)],
    ['request', types.link(method.input)],
    ['answer', types.link(method.output)],
    ['form', STREAMS[method.methodKind]],
  ];
  const comment = types.comment(method, method.parent.file.proto.package);
  return page([`### ${method.name}`, ...comment, table(['', ''], facts)]).trimEnd();
}
