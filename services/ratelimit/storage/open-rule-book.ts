import type { Logger } from '../../../runtime/logger.ts';
import type { RedisTarget } from '../../../runtime/redis-target.ts';
import { DEFAULT_RULES } from '../domain/default-rules.ts';
import { RuleBook } from '../domain/rule-book.ts';
import { MemoryLiveRules } from './memory-live-rules.ts';
import { RedisLiveRules } from './redis-live-rules.ts';
import { loadRuleFile, parseRuleFile } from './rule-file.ts';
import { RuleFileWatch } from './rule-file-watch.ts';
import { RulesSnapshot } from './rules-snapshot.ts';

export interface OpenRuleBookOptions {
  /** The rules file; without one, the built-in rules hold. */
  readonly file: string | undefined;
  /** Where live rules are kept; without one, in this process. */
  readonly target: RedisTarget | undefined;
  /** File for a snapshot of the live rules. */
  readonly snapshot: string | undefined;
  /** How long to wait for the live rules, in ms. */
  readonly startWaitMs: number;
  readonly logger: Logger;
  /** Called for each change of the file that can't be used. */
  readonly onFileRefused?: () => void;
}

/** A rule book that follows its file and its live rules until it is disposed. */
export interface OpenRuleBook extends AsyncDisposable {
  readonly rules: RuleBook;
}

/** @throws InvalidFile */
export async function openRuleBook(options: OpenRuleBookOptions): Promise<OpenRuleBook> {
  const { file, logger, onFileRefused: onRefused } = options;
  await using resources = new AsyncDisposableStack();
  const content = file === undefined ? undefined : await loadRuleFile(file);
  const base =
    file === undefined || content === undefined ? DEFAULT_RULES : await parseRuleFile(file, content);
  const live = await openLiveRules(options, resources);
  const rules = new RuleBook({ base, origin: file === undefined ? 'BUILT_IN' : 'FILE', live });
  if (file !== undefined && content !== undefined) {
    const onRules = rules.replaceBase.bind(rules);
    resources.use(new RuleFileWatch({ path: file, content, logger, onRules, onRefused }));
  }
  const owned = resources.move();
  return { rules, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function openLiveRules(
  { target, snapshot: file, startWaitMs, logger }: OpenRuleBookOptions,
  resources: AsyncDisposableStack,
): Promise<MemoryLiveRules | RedisLiveRules> {
  const snapshot = file === undefined ? undefined : resources.use(new RulesSnapshot(file, logger));
  if (target === undefined) {
    const live = new MemoryLiveRules(snapshot);
    await live.start();
    return live;
  }
  const live = resources.use(new RedisLiveRules({ target, logger, snapshot }));
  await live.start(startWaitMs);
  return live;
}
