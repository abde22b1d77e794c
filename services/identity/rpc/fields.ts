import { InvalidRequest } from '../../../runtime/errors.ts';
import { Violations } from '../../../runtime/validation.ts';
import type { Parsed } from '../domain/parsed.ts';

/** Reads a request's fields into domain values and collects what is wrong with any of them. */
export class Fields {
  readonly #violations = new Violations();

  /** The value of a field. Not to be used before {@link check} has passed: it is undefined where the field is wrong. */
  take<T>(field: string, parsed: Parsed<T>): T {
    if (parsed.ok) return parsed.value;
    this.#violations.add(field, parsed.reason);
    return undefined as T;
  }

  /** Notes something that is wrong with a field. */
  add(field: string, reason: string): void {
    this.#violations.add(field, reason);
  }

  /** @throws InvalidRequest naming every field that is wrong. */
  check(): void {
    if (this.#violations.found.length > 0) throw new InvalidRequest(this.#violations.found);
  }
}
