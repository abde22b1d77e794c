import { RULE_NAME } from '../rule.ts';
import type {
  EnvoyDescriptorDefinition,
  EnvoyDomainDefinition,
  EnvoyLimitDefinition,
} from './envoy-definition.ts';
import { MAX_REQUESTS_PER_UNIT } from './envoy-limit.ts';
import { ENVOY_UNIT_MICROS, isEnvoyUnit } from './envoy-unit.ts';
import { templateKeys } from './identifier-template.ts';

/** What is wrong at one place of a definition. */
export interface EnvoyFault {
  /** As the file has it: `['descriptors', 0, 'rate_limit', 'unit']`. */
  readonly path: readonly PropertyKey[];
  readonly description: string;
}

/** What is beyond these matches nothing: keys of requests have the same bound, and no longer value is meant. */
const MAX_NAME_BYTES = 256;
const MAX_DEPTH = 32;
/** Of a value: far beyond what anybody writes down. */
const MAX_VALUE_BYTES = 4_096;
/** Of one list: patterns of one key are tried one by one. */
const MAX_PATTERNS = 1_000;
const UNITS = Object.keys(ENVOY_UNIT_MICROS).join(', ').toLowerCase();

type Path = readonly PropertyKey[];

/** What a list has had so far, by key and value: where it stands, and what its own list has had. */
type Seen = Map<string, { readonly source: string; readonly within: Seen }>;

/** Finds what is wrong with definitions that are to be in force together. */
export class DefinitionCheck {
  readonly #mergeDomains: boolean;
  readonly #domains = new Map<string, { readonly source: string; readonly within: Seen }>();
  #faults: EnvoyFault[] = [];

  /** @param mergeDomains whether several files may say something of one domain */
  constructor(mergeDomains: boolean) {
    this.#mergeDomains = mergeDomains;
  }

  /** @param source the file, for what is there twice */
  faultsOf(definition: EnvoyDomainDefinition, source: string): readonly EnvoyFault[] {
    this.#faults = [];
    const { domain, descriptors } = definition;
    this.#checkName(['domain'], domain);
    const known = this.#domains.get(domain);
    if (known !== undefined && !this.#mergeDomains) {
      this.#refuse(['domain'], `is that of ${known.source} already`);
    }
    const within: Seen = (this.#mergeDomains && known?.within) || new Map();
    if (known === undefined) this.#domains.set(domain, { source, within });
    this.#checkList(['descriptors'], descriptors, source, within, []);
    return this.#faults;
  }

  #checkList(
    path: Path,
    descriptors: readonly EnvoyDescriptorDefinition[],
    source: string,
    seen: Seen,
    keys: readonly string[],
  ): void {
    if (keys.length === MAX_DEPTH && descriptors.length > 0) {
      this.#refuse(path, `must not be nested more than ${MAX_DEPTH} deep`);
      return;
    }
    let patterns = 0;
    for (const [index, descriptor] of descriptors.entries()) {
      const at = [...path, index];
      this.#checkDescriptor(at, descriptor, [...keys, descriptor.key]);
      if (descriptor.value.endsWith('*')) {
        patterns += 1;
        if (patterns === MAX_PATTERNS + 1) {
          this.#refuse([...at, 'value'], `is one of more than ${MAX_PATTERNS} with a * in this list`);
        }
      }
      const id = JSON.stringify([descriptor.key, descriptor.value]);
      const twin = seen.get(id);
      if (twin !== undefined) {
        const where = twin.source === source ? 'twice' : `already, in ${twin.source}`;
        this.#refuse(at, `is there ${where}: a key with the same value`);
      }
      const place = { source, within: new Map() };
      if (twin === undefined) seen.set(id, place);
      this.#checkList([...at, 'descriptors'], descriptor.descriptors, source, place.within, [
        ...keys,
        descriptor.key,
      ]);
    }
  }

  #checkDescriptor(path: Path, descriptor: EnvoyDescriptorDefinition, keys: readonly string[]): void {
    const { key, value, shareThreshold, rateLimit } = descriptor;
    this.#checkName([...path, 'key'], key);
    if (Buffer.byteLength(value) > MAX_VALUE_BYTES) {
      this.#refuse([...path, 'value'], `must have at most ${MAX_VALUE_BYTES} bytes`);
    }
    if (shareThreshold && !value.endsWith('*')) {
      this.#refuse([...path, 'share_threshold'], 'needs a value that ends with *');
    }
    if (rateLimit !== undefined) this.#checkLimit([...path, 'rate_limit'], rateLimit, keys);
  }

  #checkLimit(path: Path, limit: EnvoyLimitDefinition, keys: readonly string[]): void {
    const { unit, requestsPerUnit, unlimited, rule, name, replaces } = limit;
    if (rule !== '') this.#checkRule(path, limit);
    else if (unlimited && unit !== '') this.#refuse([...path, 'unit'], 'must not stand beside unlimited');
    else if (!unlimited && !isEnvoyUnit(unit)) this.#refuse([...path, 'unit'], `must be one of ${UNITS}`);
    if (requestsPerUnit !== undefined && !isUint32(requestsPerUnit)) {
      this.#refuse([...path, 'requests_per_unit'], `must be an integer from 0 to ${MAX_REQUESTS_PER_UNIT}`);
    }
    this.#checkIdentifier([...path, 'identifier'], limit, keys);
    if (Buffer.byteLength(name) > MAX_NAME_BYTES) {
      this.#refuse([...path, 'name'], `must have at most ${MAX_NAME_BYTES} bytes`);
    }
    for (const [index, replaced] of replaces.entries()) {
      const at = [...path, 'replaces', index, 'name'];
      this.#checkName(at, replaced);
      if (replaced !== '' && replaced === name) this.#refuse(at, 'must not be the name of the limit itself');
    }
  }

  #checkRule(path: Path, { rule, unit, requestsPerUnit, unlimited }: EnvoyLimitDefinition): void {
    const besides = { unit: unit !== '', requests_per_unit: requestsPerUnit !== undefined, unlimited };
    for (const [field, isThere] of Object.entries(besides)) {
      if (isThere) this.#refuse([...path, field], 'must not stand beside rule');
    }
    if (!RULE_NAME.test(rule)) {
      this.#refuse([...path, 'rule'], 'must be 1 to 128 characters of A-Z a-z 0-9 _ . : / -');
    }
  }

  #checkIdentifier(path: Path, { rule, identifier }: EnvoyLimitDefinition, keys: readonly string[]): void {
    if (identifier === undefined) return;
    if (rule === '') this.#refuse(path, 'needs a rule');
    this.#checkName(path, identifier);
    const named = templateKeys(identifier);
    if (named === undefined) this.#refuse(path, 'must have its braces in pairs, each around a key');
    const unknown = named?.filter((key) => !keys.includes(key)) ?? [];
    for (const key of unknown) {
      this.#refuse(path, `names {${key}}, which is the key of no descriptor that leads here`);
    }
  }

  #checkName(path: Path, text: string): void {
    if (text === '') this.#refuse(path, 'must not be empty');
    else if (Buffer.byteLength(text) > MAX_NAME_BYTES) {
      this.#refuse(path, `must have at most ${MAX_NAME_BYTES} bytes`);
    }
  }

  #refuse(path: Path, description: string): void {
    this.#faults.push({ path, description });
  }
}

function isUint32(number: number): boolean {
  return Number.isInteger(number) && number >= 0 && number <= MAX_REQUESTS_PER_UNIT;
}
