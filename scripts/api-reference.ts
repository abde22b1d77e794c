import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { indexPage } from './api-index-page.ts';
import { ApiPlaces, pageOf, SHARED_PAGE } from './api-places.ts';
import { SERVERS, SETTING_NAMES, servicesOf } from './api-servers.ts';
import { GENERATED_API, servicePage } from './api-service-page.ts';
import { ApiTypes } from './api-types.ts';
import { page } from './markdown.ts';
import { readContracts } from './proto-contracts.ts';
import { ROOT } from './run-command.ts';

/**
 * The pages of docs/api by their names: an index, one a service, and one of the messages that services share.
 *
 * @throws Error where the contracts can't be built, or a policy names what no contract has.
 */
export async function apiReference(): Promise<ReadonlyMap<string, string>> {
  const contracts = await readContracts();
  const services = [...new Set(SERVERS.flatMap(servicesOf))].map((name) => {
    const service = contracts.registry.getService(name);
    if (service === undefined) throw new Error(`a policy names ${name}, which is in no contract`);
    return service;
  });
  const places = new ApiPlaces(contracts, services);
  const types = new ApiTypes(contracts, places, SETTING_NAMES);
  return new Map([
    ['index.md', indexPage(services, types)],
    ...services.map((service) => [pageOf(service), servicePage(service, places, types)] as const),
    [SHARED_PAGE, sharedPage(places, types)],
  ]);
}

function sharedPage(places: ApiPlaces, types: ApiTypes): string {
  const shared = places.typesOn(SHARED_PAGE);
  const packages = [...new Set(shared.map(({ file }) => file.proto.package))].sort();
  return page([
    '# Messages',
    GENERATED_API,
    'What several services use, by package; `google.rpc` has the details of errors. All services: [API](index.md).',
    ...packages.flatMap((scope) => [
      `## ${scope}`,
      ...shared.filter(({ file }) => file.proto.package === scope).map((type) => types.section(type)),
    ]),
  ]);
}

if (import.meta.main) {
  const directory = join(ROOT, 'docs', 'api');
  const pages = await apiReference();
  mkdirSync(directory, { recursive: true });
  for (const name of readdirSync(directory)) if (!pages.has(name)) rmSync(join(directory, name));
  for (const [name, text] of pages) writeFileSync(join(directory, name), text);
}
