import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { InvalidFile } from '../../../runtime/invalid-file.ts';
import { loadFile, textOf } from '../../../runtime/load-file.ts';
import { moduleUrl } from '../../../runtime/module-url.ts';
import { defineRule, type Rule } from '../domain/rule.ts';
import { type RulesYaml, readRulesYaml } from './rules-yaml.ts';

/** A larger rules file is refused. */
export const MAX_RULES_FILE_BYTES = 4 * 1024 * 1024;

/** What takes the parser some 20 ms at most, and so less than a thread takes to start. */
const SMALL_FILE_CHARACTERS = 16 * 1024;

/** @throws InvalidFile where it isn't there, can't be read, or is too large */
export async function loadRuleFile(path: string): Promise<Buffer> {
  return await loadFile(path, MAX_RULES_FILE_BYTES);
}

export interface ParseRuleFileOptions {
  /** What takes longer is refused, in ms. Default: 60,000. */
  readonly timeoutMs?: number;
  /** Ends the parsing. */
  readonly signal?: AbortSignal;
}

/**
 * Reads the content of a rules file; a large one on a thread of its own, so that checks are answered meanwhile.
 *
 * @param path for the text of problems only
 * @throws InvalidFile with all that is wrong
 */
export async function parseRuleFile(
  path: string,
  content: Buffer,
  options: ParseRuleFileOptions = {},
): Promise<readonly Rule[]> {
  const text = textOf(path, content);
  const isSmall = text.length <= SMALL_FILE_CHARACTERS;
  const { definitions, problems } = isSmall ? readHere(path, text) : await readOnThread(path, text, options);
  if (problems.length > 0) {
    throw new InvalidFile(problems.map((each) => (/^\d/.test(each) ? `${path}:${each}` : each)));
  }
  return definitions.map(defineRule);
}

function readHere(path: string, text: string): RulesYaml {
  try {
    return readRulesYaml(text);
  } catch (error) {
    // As from a thread: what the parser trips over must not end this process.
    throw new InvalidFile([`${path} can't be parsed: ${error}`]);
  }
}

async function readOnThread(
  path: string,
  text: string,
  { timeoutMs = 60_000, signal }: ParseRuleFileOptions,
): Promise<RulesYaml> {
  const worker = new Worker(moduleUrl('./rules-yaml-worker', import.meta.url), { workerData: text });
  // A map of 100,000 keys, each of which the parser compares with all the others, takes it minutes.
  const late = AbortSignal.timeout(timeoutMs);
  try {
    const ended = AbortSignal.any(signal === undefined ? [late] : [late, signal]);
    const [yaml] = await once(worker, 'message', { signal: ended });
    return yaml;
  } catch (error) {
    // Else deeply nested brackets, say, which overflow the parser's stack.
    const reason = late.aborted ? ` within ${timeoutMs} ms` : `: ${error}`;
    throw new InvalidFile([`${path} can't be parsed${reason}`]);
  } finally {
    await worker.terminate();
  }
}
