/** A fenced block of a Markdown page. */
export interface Block {
  /** The fence's info string: `sh`, `ts`, `json`, `text` ... */
  readonly language: string;
  readonly text: string;
  /** What a comment `<!-- readme-test: ... -->` just above the fence says; empty where there is none. */
  readonly directive: string;
}

/** What a page asks its reader to do, and what it says will come of it. */
export interface Step {
  readonly kind: 'run' | 'start' | 'file' | 'names only' | 'not run';
  /** Of `file`: its name. */
  readonly file: string | undefined;
  readonly text: string;
  /** What `run` ends with. */
  readonly exitCode: number;
  /** The answer that is printed below; undefined where none is. */
  readonly answer: string | undefined;
}

const FENCE = /(?:^ *<!-- readme-test: ([^>]*?) -->\n)?^( *)```(\w*)\n([\s\S]*?)^\2```$/gm;

/** The fenced blocks of a page, in order. */
export function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(FENCE)].map(([, directive = '', indent = '', language = '', text = '']) => ({
    language,
    // A block within a list is indented.
    text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    directive,
  }));
}

/**
 * The steps of a page. A block of `sh` is run, and one in another language below it is its answer. A comment above a
 * block, which readers don't see, says otherwise:
 *
 * - `<!-- readme-test: start -->`: starts the services;
 * - `<!-- readme-test: file NAME -->`: is to be saved as NAME;
 * - `<!-- readme-test: names only -->`: is not run, only what it names must be there;
 * - `<!-- readme-test: not run: REASON -->`: is not run;
 * - `<!-- readme-test: exit N -->`: is run, and ends with this code.
 *
 * @throws Error where a block is neither of that nor an answer: nothing on the page goes unchecked by mistake.
 */
export function stepsOf(markdown: string): Step[] {
  const steps: Step[] = [];
  for (const { language, text, directive } of blocksOf(markdown)) {
    const [, file] = /^file (\S+)$/.exec(directive) ?? [];
    const [, exitCode] = /^exit (\d+)$/.exec(directive) ?? [];
    const last = steps.at(-1);
    const step = { file, text, exitCode: Number(exitCode ?? 0), answer: undefined };
    if (file !== undefined) steps.push({ kind: 'file', ...step });
    else if (directive === 'start' || directive === 'names only') steps.push({ kind: directive, ...step });
    else if (/^not run: \S/.test(directive)) steps.push({ kind: 'not run', ...step });
    else if (exitCode !== undefined) steps.push({ kind: 'run', ...step });
    else if (directive !== '') throw new Error(`no such directive: ${directive}`);
    else if (language === 'sh') steps.push({ kind: 'run', ...step });
    else if (last !== undefined && last.answer === undefined && last.kind !== 'file') {
      steps[steps.length - 1] = { ...last, answer: text };
    } else throw new Error(`a block that is no answer to anything:\n${text}`);
  }
  return steps;
}
