import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { type FieldViolation, InvalidRequest } from './errors.ts';

/** Collects what is wrong with a request, field by field. */
export class Violations {
  readonly found: FieldViolation[] = [];

  add(field: string, description: string): void {
    this.found.push({ field, description });
  }

  /** Checks a text's length in bytes of UTF-8. */
  bytes(field: string, text: string, bounds: { readonly min?: number; readonly max: number }): void {
    if (bounds.min !== undefined && text.length < bounds.min) {
      this.add(field, text === '' ? 'must not be empty' : `must have at least ${bounds.min} bytes`);
      // A UTF-16 unit takes one to three bytes, so most texts need no counting.
    } else if (text.length * 3 > bounds.max && Buffer.byteLength(text) > bounds.max) {
      this.add(field, `must have at most ${bounds.max} bytes`);
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
