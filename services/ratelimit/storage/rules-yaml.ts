import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLError,
} from 'yaml';
import type { RuleDefinition } from '../domain/rule.ts';
import { FALLBACK_RULE } from '../domain/rule-set.ts';
import { pathText, type RulesProblem, readRules } from './read-rules.ts';

/** What became of a rules file. It can pass between threads. */
export interface RulesYaml {
  /** Within their bounds, complete; with `api_default`, no name twice. None where there are problems. */
  readonly definitions: readonly RuleDefinition[];
  /** All that is wrong, as `<line>:<column> <field> <what>`, in the order of the file; at most 50. */
  readonly problems: readonly string[];
}

/** More would help nobody. */
const MAX_PROBLEMS = 50;
/** Times that anchors may be repeated, as the parser counts: nobody writes more by hand, and it bounds what grows. */
const MAX_ALIASES = 100;

/** Reads a rules file: YAML 1.2 (or JSON), one document, checked whole. */
export function readRulesYaml(text: string): RulesYaml {
  const lines = new LineCounter();
  const document = parseDocument(text, { version: '1.2', stringKeys: true, lineCounter: lines });
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${line}:${col}`;
  };
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    return refused(faults.map((fault) => `${place(fault.pos[0])} ${faultText(fault)}`));
  }
  let data: unknown;
  try {
    data = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    return refused([`1:1 ${(error as Error).message}`]);
  }
  const { rules, problems } = readRules(data);
  const all = hasFallback(data) ? problems : [...problems, NO_FALLBACK];
  if (all.length === 0) return { definitions: rules.map(({ definition }) => definition), problems: [] };
  const placed = all.map(({ path, description }) => {
    const offset = offsetOf(document, path);
    return { offset, text: [place(offset), pathText(path), description].filter(Boolean).join(' ') };
  });
  return refused(placed.sort((a, b) => a.offset - b.offset).map((each) => each.text));
}

const NO_FALLBACK: RulesProblem = {
  path: ['rules'],
  description: `has no ${FALLBACK_RULE}, which is for all endpoints that have no rule of their own`,
};

function faultText({ code, message }: YAMLError): string {
  if (code === 'MULTIPLE_DOCS') return 'must be one document';
  // The rest of the text draws the place.
  return message.split(/ at line|\n/)[0] as string;
}

function refused(problems: readonly string[]): RulesYaml {
  const more = problems.length - MAX_PROBLEMS;
  const shown = problems.slice(0, MAX_PROBLEMS);
  return { definitions: [], problems: more > 0 ? [...shown, `and ${more} more problems`] : shown };
}

function hasFallback(data: unknown): boolean {
  const rules = (data as { rules?: unknown } | null)?.rules;
  // Where the rules are no list, that is what is wrong.
  if (!Array.isArray(rules)) return true;
  return rules.some((rule: { name?: unknown } | null) => rule?.name === FALLBACK_RULE);
}

/** Where a field stands, or, where it is missing, what it should stand in. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  let node: Node | null | undefined = document.contents;
  let offset = node?.range?.[0] ?? 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    let next: unknown;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === step);
      if (pair === undefined) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      next = pair.value;
    } else if (isSeq(node) && typeof step === 'number') {
      next = node.items[step];
      offset = (next as Node | undefined)?.range?.[0] ?? offset;
    }
    if (next === undefined || next === null) break;
    node = next as Node;
  }
  return offset;
}
