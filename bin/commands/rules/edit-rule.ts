import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidFile } from '../../../runtime/invalid-file.ts';
import type { Rule } from '../../../services/ratelimit/domain/rule.ts';
import { readRuleText } from './read-rules-text.ts';
import { ruleYaml } from './rule-yaml.ts';

export interface RuleEditing {
  readonly rule: Rule;
  /** A command of the shell that takes the file as its last argument. */
  readonly editor: string;
  /** Whether to go on editing a rule that was refused. */
  readonly ask: (question: string) => Promise<boolean>;
  /** Takes the rule. Where it fails, the text is kept. */
  readonly use: (rule: Rule) => Promise<void>;
}

/**
 * Lets somebody edit a rule in a file of its own until it is without mistakes.
 *
 * @returns undefined where it was left as it is
 * @throws Error that names the file with the text, where that was edited and not used
 */
export async function editRule({ rule, editor, ask, use }: RuleEditing): Promise<Rule | undefined> {
  // Readable by this user alone.
  const directory = await mkdtemp(join(tmpdir(), 'optix-rule-'));
  const file = join(directory, 'rule.yaml');
  await writeFile(file, ruleYaml(rule));
  let isKept = false;
  try {
    for (;;) {
      await runEditor(editor, file);
      const text = await readFile(file, 'utf8');
      isKept = text !== ruleYaml(rule);
      try {
        const edited = readRuleText(file, text, rule.name);
        if (edited.version !== rule.version) await use(edited);
        isKept = false;
        return edited.version === rule.version ? undefined : edited;
      } catch (error) {
        if (!(error instanceof InvalidFile)) throw error;
        for (const problem of error.problems) console.error(problem);
        if (await ask('The rule was refused. Edit again?')) continue;
        throw new Error('the rule was refused; nothing was changed', { cause: error });
      }
    }
  } catch (error) {
    if (!isKept) throw error;
    throw new Error(`${error instanceof Error ? error.message : error} (your text is in ${file})`, {
      cause: error,
    });
  } finally {
    if (!isKept) await rm(directory, { recursive: true });
  }
}

async function runEditor(editor: string, file: string): Promise<void> {
  const child = spawn('sh', ['-c', `${editor} "$1"`, 'sh', file], { stdio: 'inherit' });
  const [status, signal] = await once(child, 'close');
  if (status !== 0)
    throw new Error(`the editor (${editor}) ended with ${signal ?? status}; nothing was changed`);
}
