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

/** What is wrong at one place of a document. */
export interface YamlProblem {
  /** As in `['callers', 0, 'name']`; empty for the whole. */
  readonly path: readonly PropertyKey[];
  readonly description: string;
}

/** A document is good for nothing unless it has no problems. */
export type YamlReading<T> =
  | { readonly value: T; readonly problems: readonly [] }
  /** One line each, `<line>:<column> <field> <what>`, in the order of the text; at most 50. */
  | { readonly value: undefined; readonly problems: readonly string[] };

/** More would help nobody. */
const MAX_PROBLEMS = 50;
/** Times that anchors may be repeated, as the parser counts: it bounds what grows. */
const MAX_ALIASES = 100;

/** What became of a document's data. */
export interface YamlCheck<T> {
  readonly value: T | undefined;
  readonly problems: readonly YamlProblem[];
}

export interface YamlOptions {
  /** What a text is read as that does not say so itself. 1.1 knows merge keys (`<<`) and `yes` for true. Default: 1.2. */
  readonly version?: '1.1' | '1.2';
}

/**
 * Reads YAML (or JSON), one document, checked whole by `check`.
 *
 * @param check given the data; its value counts only without problems
 */
export function readYamlDocument<T>(
  text: string,
  check: (data: unknown) => YamlCheck<T>,
  { version = '1.2' }: YamlOptions = {},
): YamlReading<T> {
  const lines = new LineCounter();
  const document = parseDocument(text, { version, stringKeys: true, lineCounter: lines });
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${line}:${col}`;
  };
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) return refused(faults.map((fault) => `${place(fault.pos[0])} ${faultText(fault)}`));
  let data: unknown;
  try {
    data = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    return refused([`1:1 ${(error as Error).message}`]);
  }
  const { value, problems } = check(data);
  if (value !== undefined && problems.length === 0) return { value, problems: [] };
  const placed = problems.map(({ path, description }) => {
    const offset = offsetOf(document, path);
    return { offset, text: [place(offset), pathText(path), description].filter(Boolean).join(' ') };
  });
  return refused(placed.sort((a, b) => a.offset - b.offset).map((each) => each.text));
}

function refused(problems: readonly string[]): YamlReading<never> {
  const more = problems.length - MAX_PROBLEMS;
  const shown = problems.slice(0, MAX_PROBLEMS);
  return { value: undefined, problems: more > 0 ? [...shown, `and ${more} more problems`] : shown };
}

function faultText({ code, message }: YAMLError): string {
  if (code === 'MULTIPLE_DOCS') return 'must be one document';
  // The rest of the text draws the place, and so repeats what stands there.
  return message.split(/ at line|\n/)[0] as string;
}

/** `callers[0].certificates[1].uri` */
export function pathText(path: readonly PropertyKey[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += text === '' ? String(step) : `.${String(step)}`;
  }
  return text;
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
