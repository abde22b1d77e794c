import { hash } from 'node:crypto';
import { FileWatch } from '../../../runtime/file-watch.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Rule } from '../domain/rule.ts';
import { loadRuleFile, parseRuleFile } from './rule-file.ts';

export interface RuleFileWatchOptions {
  readonly path: string;
  /** The content whose rules are in force. */
  readonly content: Buffer;
  readonly logger: Logger;
  /** Called with the rules of each new content that is good. */
  readonly onRules: (rules: readonly Rule[]) => void;
  /** Called for each new content that can't be used. */
  readonly onRefused?: (() => void) | undefined;
}

/** Watches a rules file. One that can't be used is refused whole and logged once; the rules stay as they are. */
export class RuleFileWatch extends FileWatch<Buffer> {
  constructor({ path, content, logger, onRules, onRefused }: RuleFileWatchOptions) {
    super({
      current: content,
      everyMs: 200,
      load: () => loadRuleFile(path),
      digestOf: (state) => hash('sha256', state, 'hex'),
      async take(state, signal, afterRefusal) {
        const rules = await parseRuleFile(path, state, { signal });
        if (signal.aborted) return;
        onRules(rules);
        const facts = { file: path, rules: rules.length };
        logger.info(facts, afterRefusal ? 'rules are good again' : 'rules read anew');
      },
      refuse(problems) {
        onRefused?.();
        logger.error({ file: path, problems }, 'the rules file is refused: the rules stay as they were');
      },
    });
  }
}
