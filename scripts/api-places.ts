import type { DescEnum, DescMessage, DescService } from '@bufbuild/protobuf';
import { anchorOf } from './markdown.ts';
import { type Contracts, isMapEntry } from './proto-contracts.ts';

/** A message or an enum. */
export type DescType = DescMessage | DescEnum;

/** The page of what no file of a service defines. */
export const SHARED_PAGE = 'messages.md';

/** Details of errors: no RPC's answer has them, every error may. */
const ERROR_DETAILS = 'google.rpc';

const WELL_KNOWN = 'https://protobuf.dev/reference/protobuf/google.protobuf/';

/** Where the reference describes what: each type once, on the page of the service whose file defines it. */
export class ApiPlaces {
  readonly services: readonly DescService[];
  readonly #types: ReadonlySet<DescType>;
  readonly #names = new Map<string, string>();

  constructor({ registry }: Contracts, services: readonly DescService[]) {
    this.services = services;
    const types = new Set<DescType>();
    for (const { methods } of services) {
      for (const { input, output } of methods) {
        addReached(input, types);
        addReached(output, types);
      }
    }
    for (const file of registry.files) {
      if (file.proto.package === ERROR_DETAILS)
        for (const message of file.messages) addReached(message, types);
    }
    this.#types = types;
    for (const type of types) this.#name(type.file.proto.package, nameOf(type), this.linkTo(type));
    for (const service of services) {
      const { package: scope } = service.file.proto;
      this.#name(scope, service.name, pageOf(service));
      for (const { name } of service.methods) {
        const link = `${pageOf(service)}#${anchorOf(name)}`;
        this.#name(scope, name, link);
        this.#name(scope, `${service.name}.${name}`, link);
      }
    }
  }

  /** The types that a page describes, in the order of their files. */
  typesOn(page: string): readonly DescType[] {
    return [...this.#types]
      .filter((type) => this.#pageOfType(type) === page)
      .sort((one, other) => placeOf(one).localeCompare(placeOf(other)));
  }

  /** Where a type is described, from any page of the reference. */
  linkTo(type: DescType): string {
    const { package: scope } = type.file.proto;
    if (scope === 'google.protobuf') {
      return `${WELL_KNOWN}#${type.name.replaceAll(/([a-z\d])([A-Z])/g, '$1-$2').toLowerCase()}`;
    }
    return `${this.#pageOfType(type)}#${anchorOf(nameOf(type))}`;
  }

  /** Where something is described that a comment of a package mentions by name; undefined where nothing is. */
  linkToName(scope: string, name: string): string | undefined {
    return this.#names.get(`${scope}/${name}`) ?? this.#names.get(`${ERROR_DETAILS}/${name}`);
  }

  #pageOfType({ file }: DescType): string {
    const service = this.services.find((candidate) => candidate.file === file);
    return service === undefined ? SHARED_PAGE : pageOf(service);
  }

  #name(scope: string, name: string, link: string): void {
    this.#names.set(`${scope}/${name}`, link);
  }
}

/** A service's page. */
export function pageOf({ typeName }: DescService): string {
  return `${typeName}.md`;
}

/** A type's name within its package: that of a nested one has its parent's before it. */
export function nameOf({ typeName, file }: DescType): string {
  return typeName.slice(file.proto.package.length + 1);
}

function addReached(type: DescType, reached: Set<DescType>): void {
  if (reached.has(type) || type.file.proto.package === 'google.protobuf') return;
  if (type.kind === 'enum') {
    reached.add(type);
    return;
  }
  if (!isMapEntry(type)) reached.add(type);
  for (const field of type.fields) {
    if (field.message) addReached(field.message, reached);
    if (field.enum) addReached(field.enum, reached);
  }
  for (const nested of type.nestedMessages) addReached(nested, reached);
}

/** Sorts by file, and within a file as it is written: nested types behind what they are in. */
function placeOf(type: DescType): string {
  const indices: string[] = [];
  for (let one: DescType | undefined = type; one !== undefined; one = one.parent) {
    const siblings: readonly DescType[] =
      one.parent === undefined
        ? [...one.file.messages, ...one.file.enums]
        : [...one.parent.nestedMessages, ...one.parent.nestedEnums];
    indices.unshift(String(siblings.indexOf(one)).padStart(4, '0'));
  }
  return `${type.file.name} ${indices.join('.')}`;
}
