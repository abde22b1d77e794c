import { randomBytes } from 'node:crypto';
import { MAX_UNITS } from './algorithm.ts';
import type { CheckTerm } from './check-plan.ts';
import type { Verdict, VerdictSource } from './decision-store.ts';
import { InvalidReceipt } from './errors.ts';
import type { LimitState } from './limit-store.ts';
import { RULE_NAME } from './rule.ts';

/** What one decision took of one limit. */
export interface ReceiptPart {
  readonly endpoint: string;
  readonly identifier: string;
  /** Finds the limit among those of the rule. */
  readonly keySuffix: string;
  readonly cost: number;
  readonly resetMicros: number;
  /** Of the limit as it was. */
  readonly windowMicros: number;
}

/** What one decision took, in a form that any replica can give back. */
export interface Receipt {
  /** Names the decision, and its leases: 1 to 64 characters of `A-Z a-z 0-9 _ -`. */
  readonly id: string;
  readonly source: VerdictSource;
  readonly parts: readonly ReceiptPart[];
}

const SOURCES: readonly VerdictSource[] = ['REDIS', 'MEMORY', 'FALLBACK_LOCAL'];
const ID = /^[A-Za-z0-9_-]{1,64}$/;
/** As many limits as one decision may have, and units as one of them can. */
const MAX_PARTS = 2_000;
const MAX_IDENTIFIER_BYTES = 256;
const CONTROL_CHARACTER = /\p{Cc}/u;
const KEY_SUFFIX = /^(:[A-Za-z0-9_-]{1,32})?(~[cbfl])?!?$/;

/** The id of a decision that is to have a receipt: 96 random bits. */
export function newReceiptId(): string {
  return randomBytes(12).toString('base64url');
}

/**
 * The receipt of a decision that was allowed; '' where nothing was taken, so that there is nothing to give back. Of what is not refundable a receipt ends leases
 * alone: else whoever ends one would have all other units back too, each time.
 */
export function receiptFor(
  id: string,
  { source, states }: Verdict,
  terms: readonly CheckTerm[],
  refundable: boolean,
): string {
  if (id === '' || source === 'FALLBACK_OPEN' || source === 'FALLBACK_CLOSED') return '';
  return writeReceipt(id, source, terms, states, refundable ? 'ALL' : 'LEASES');
}

/**
 * The receipt as a text: base64url of JSON. It holds names and never a key, so that what a text made up by somebody can
 * reach are counts of rules, as by any check; it needs no signature.
 *
 * @param states of a decision that was allowed: its enforced terms were all taken, its shadow terms if all had room
 * @param of `LEASES`: of `CONCURRENCY` limits alone, for an operation that will be over and not undone
 * @returns '' where nothing of that was taken
 */
export function writeReceipt(
  id: string,
  source: VerdictSource,
  terms: readonly CheckTerm[],
  states: readonly LimitState[],
  of: 'ALL' | 'LEASES' = 'ALL',
): string {
  const shadowTaken = terms.every(({ limit }, index) => !limit.shadow || states[index]?.allowed);
  const parts: unknown[] = [];
  for (const [index, { endpoint, identifier, limit, cost }] of terms.entries()) {
    if ((limit.shadow && !shadowTaken) || (of === 'LEASES' && limit.algorithm !== 'CONCURRENCY')) continue;
    parts.push([endpoint, identifier, limit.keySuffix, cost, states[index]?.resetMicros, limit.windowMicros]);
  }
  if (parts.length === 0) return '';
  return Buffer.from(JSON.stringify([id, SOURCES.indexOf(source), parts])).toString('base64url');
}

/** @throws InvalidReceipt */
export function readReceipt(text: string): Receipt {
  const [id, source, parts] = tuple(parse(text), 3);
  const known = typeof source === 'number' ? SOURCES[source] : undefined;
  if (typeof id !== 'string' || !ID.test(id) || known === undefined) throw new InvalidReceipt();
  if (!Array.isArray(parts) || parts.length === 0 || parts.length > MAX_PARTS) throw new InvalidReceipt();
  return { id, source: known, parts: parts.map(readPart) };
}

function readPart(part: unknown): ReceiptPart {
  const [endpoint, identifier, keySuffix, cost, resetMicros, windowMicros] = tuple(part, 6);
  if (typeof endpoint !== 'string' || !RULE_NAME.test(endpoint)) throw new InvalidReceipt();
  if (typeof identifier !== 'string' || !isIdentifier(identifier)) throw new InvalidReceipt();
  if (typeof keySuffix !== 'string' || !KEY_SUFFIX.test(keySuffix)) throw new InvalidReceipt();
  if (!isCount(cost) || cost > MAX_UNITS || !isCount(resetMicros) || !isCount(windowMicros)) {
    throw new InvalidReceipt();
  }
  return { endpoint, identifier, keySuffix, cost, resetMicros, windowMicros };
}

/** As a check has it: what is longer would be a key of that length in the store. */
function isIdentifier(text: string): boolean {
  return text !== '' && Buffer.byteLength(text) <= MAX_IDENTIFIER_BYTES && !CONTROL_CHARACTER.test(text);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    throw new InvalidReceipt();
  }
}

function tuple(value: unknown, length: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length !== length) throw new InvalidReceipt();
  return value;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
