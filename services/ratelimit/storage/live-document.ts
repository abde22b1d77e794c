import { createHash } from 'node:crypto';
import { pathText } from '../../../runtime/yaml-document.ts';
import { MAX_LIVE_RULES } from '../domain/live-rules.ts';
import type { Rule } from '../domain/rule.ts';
import { LiveRulesFull } from '../domain/rule-errors.ts';
import { type RulesReading, readRules } from './read-rules.ts';
import { writeRule } from './written-rule.ts';

/** The most bytes that the live rules take as a document. */
const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;

/** All live rules as they are kept. */
export interface LiveDocument {
  /** `<number>.<16 hex digits of SHA-256 of the text>`: of two documents the one with the higher number holds. */
  readonly revision: string;
  /** JSON, in the form of the rules file. */
  readonly text: string;
  readonly rules: readonly Rule[];
}

/** What holds before any rule was ever live. */
export const NO_LIVE_RULES: LiveDocument = Object.freeze({ revision: '0.', text: '', rules: [] });

/** The text does not make a set of live rules. */
export class InvalidLiveDocument extends Error {
  constructor(problems: readonly string[]) {
    super(problems.join('; '));
    this.name = 'InvalidLiveDocument';
  }
}

/**
 * Makes the document that follows a revision. Its number is the time in ms where that is higher than the next: so rules
 * that were made after a flush, by somebody who knew of none, are still higher than all before it.
 *
 * @throws LiveRulesFull
 */
export function nextDocument(revision: string, rules: readonly Rule[]): LiveDocument {
  if (rules.length > MAX_LIVE_RULES) throw new LiveRulesFull(`more than ${MAX_LIVE_RULES} live rules`);
  const text = `{"rules":[${rules.map(ruleText)}]}`;
  if (Buffer.byteLength(text) > MAX_DOCUMENT_BYTES) {
    throw new LiveRulesFull(`live rules of more than ${MAX_DOCUMENT_BYTES} bytes`);
  }
  const number = Math.max(revisionNumber(revision) + 1, Date.now());
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 16);
  return { revision: `${number}.${digest}`, text, rules };
}

/**
 * Reads a document that was kept. A rule that stands there as among the known ones is taken from these: most changes are
 * of one rule, and reading a thousand takes tens of milliseconds.
 *
 * @throws InvalidLiveDocument
 */
export function readDocument(revision: string, text: string, known: readonly Rule[] = []): LiveDocument {
  if (revisionNumber(revision) < 0) throw new InvalidLiveDocument(['the revision is none']);
  if (Buffer.byteLength(text) > MAX_DOCUMENT_BYTES) throw new InvalidLiveDocument(['too long']);
  const byText = new Map(known.map((rule) => [ruleText(rule), rule]));
  const { rules, problems } = read(text, (written) => byText.get(JSON.stringify(written)));
  if (problems.length > 0) {
    throw new InvalidLiveDocument(
      problems.slice(0, 10).map(({ path, description }) => `${pathText(path)} ${description}`),
    );
  }
  if (rules.length > MAX_LIVE_RULES) throw new InvalidLiveDocument([`more than ${MAX_LIVE_RULES} rules`]);
  return { revision, text, rules };
}

function read(text: string, known: (written: unknown) => Rule | undefined): RulesReading {
  try {
    return readRules(JSON.parse(text), known);
  } catch (error) {
    // Lists in lists in lists overflow the stack.
    throw new InvalidLiveDocument([error instanceof SyntaxError ? 'not JSON' : String(error)]);
  }
}

const texts = new WeakMap<Rule, string>();

function ruleText(rule: Rule): string {
  let text = texts.get(rule);
  if (text === undefined) {
    text = JSON.stringify(writeRule(rule.definition));
    texts.set(rule, text);
  }
  return text;
}

/** The number of a revision; -1 where it has none. */
export function revisionNumber(revision: string): number {
  return Number(/^(\d{1,15})\./.exec(revision)?.[1] ?? -1);
}
