import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { type FieldViolation, InvalidRequest } from './errors.ts';

/** More would help nobody, and an error has to fit into the headers that carry it. */
const MAX_VIOLATIONS = 20;

/** Collects what is wrong with a request, field by field: the first 20 faults. */
export class Violations {
  readonly found: FieldViolation[] = [];

  add(field: string, description: string): void {
    if (this.found.length < MAX_VIOLATIONS) this.found.push({ field, description });
  }

  /**
   * Checks a list: 1 to `most` entries, and each of them by `check`, whose fields are named by their place in the list,
   * for example `checks[3].endpoint`.
   */
  entries<T>(
    field: string,
    list: readonly T[],
    most: number,
    check?: (entry: T, violations: Violations) => void,
  ): void {
    if (list.length === 0) this.add(field, 'must not be empty');
    else if (list.length > most) this.add(field, `must have at most ${most} entries`);
    else if (check !== undefined) {
      for (const [index, entry] of list.entries()) {
        const within = new Violations();
        check(entry, within);
        this.#addAll(`${field}[${index}]`, within);
      }
    }
  }

  /** Checks a message that must be there. Its fields are named by their path, for example `check.endpoint`. */
  part<T>(field: string, part: T | undefined, check: (part: T, violations: Violations) => void): void {
    const within = new Violations();
    if (part === undefined) this.add(field, 'must be set');
    else check(part, within);
    this.#addAll(field, within);
  }

  #addAll(path: string, { found }: Violations): void {
    for (const { field, description } of found) this.add(`${path}.${field}`, description);
  }

  /** Checks that a text is not empty, and its length in bytes of UTF-8. */
  text(field: string, text: string, maxBytes: number): void {
    if (text === '') this.add(field, 'must not be empty');
    else this.bytes(field, text, maxBytes);
  }

  /** Checks the length of a text in bytes of UTF-8. */
  bytes(field: string, text: string, maxBytes: number): void {
    // A UTF-16 unit takes one to three bytes, so most texts need no counting.
    if (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes) {
      this.add(field, `must have at most ${maxBytes} bytes`);
    }
  }
}

/** The rules of one request message. */
export interface RequestRules {
  readonly typeName: string;
  readonly check: (message: never, violations: Violations) => void;
}

/** States the rules of a request message. They run before the handler, on either transport. */
export function requestRules<D extends DescMessage>(
  schema: D,
  check: (message: MessageShape<D>, violations: Violations) => void,
): RequestRules {
  return { typeName: schema.typeName, check };
}

/** @throws InvalidRequest where the message breaks its rules. */
export function enforce(rules: RequestRules, message: unknown): void {
  const violations = new Violations();
  rules.check(message as never, violations);
  if (violations.found.length > 0) throw new InvalidRequest(violations.found);
}
