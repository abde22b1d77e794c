import { on } from 'node:events';
import { Worker } from 'node:worker_threads';
import { InvalidFile } from '../../../../runtime/invalid-file.ts';
import { textOf } from '../../../../runtime/load-file.ts';
import { moduleUrl } from '../../../../runtime/module-url.ts';
import type { EnvoyDomainDefinition } from '../../domain/envoy/envoy-definition.ts';
import type { EnvoyFile } from './envoy-files.ts';
import { type EnvoyText, type EnvoyYaml, readEnvoyYaml } from './envoy-yaml.ts';

/** What takes the parser some 20 ms at most, and so less than a thread takes to start. */
const SMALL_CHARACTERS = 16 * 1024;

export interface ParseEnvoyFilesOptions {
  /** Whether several files may say something of one domain. */
  readonly mergeDomains: boolean;
  /** What takes longer is refused, in ms. Default: 60,000. */
  readonly timeoutMs?: number;
  /** Ends the parsing. */
  readonly signal?: AbortSignal;
}

/**
 * Reads the content of all files; much of it on a thread of its own, so that checks are answered meanwhile.
 *
 * @returns one or several for each file, in order: those of one domain belong together
 * @throws InvalidFile with all that is wrong
 */
export async function parseEnvoyFiles(
  files: readonly EnvoyFile[],
  options: ParseEnvoyFilesOptions,
): Promise<readonly EnvoyDomainDefinition[]> {
  const texts = textsOf(files);
  const characters = texts.reduce((sum, { text }) => sum + text.length, 0);
  const isSmall = characters <= SMALL_CHARACTERS;
  const { definitions, problems } = isSmall
    ? readHere(texts, options.mergeDomains)
    : await readOnThread(texts, options);
  if (problems.length > 0) throw new InvalidFile(problems);
  return definitions;
}

function textsOf(files: readonly EnvoyFile[]): readonly EnvoyText[] {
  const problems: string[] = [];
  const texts = files.flatMap(({ path, content }) => {
    try {
      return [{ path, text: textOf(path, content) }];
    } catch (error) {
      if (!(error instanceof InvalidFile)) throw error;
      problems.push(...error.problems);
      return [];
    }
  });
  if (problems.length > 0) throw new InvalidFile(problems);
  return texts;
}

function readHere(files: readonly EnvoyText[], mergeDomains: boolean): EnvoyYaml {
  try {
    return readEnvoyYaml(files, mergeDomains);
  } catch (error) {
    // As from a thread: what the parser trips over must not end this process.
    throw cannotBeParsed(files, `: ${error}`);
  }
}

async function readOnThread(
  files: readonly EnvoyText[],
  { mergeDomains, timeoutMs = 60_000, signal }: ParseEnvoyFilesOptions,
): Promise<EnvoyYaml> {
  const workerData = { files, mergeDomains };
  const worker = new Worker(moduleUrl('./envoy-yaml-worker', import.meta.url), { workerData });
  // A map of 100,000 keys, each of which the parser compares with all the others, takes it minutes.
  const late = AbortSignal.timeout(timeoutMs);
  try {
    const ended = AbortSignal.any(signal === undefined ? [late] : [late, signal]);
    const definitions: EnvoyDomainDefinition[] = [];
    for await (const [part] of on(worker, 'message', { signal: ended, close: ['exit'] })) {
      definitions.push(...part.definitions);
      // The last one has them.
      if (part.problems !== undefined) return { definitions, problems: part.problems };
    }
    throw new Error('its thread ended');
  } catch (error) {
    // Else deeply nested brackets, say, which overflow the parser's stack.
    throw cannotBeParsed(files, late.aborted ? ` within ${timeoutMs} ms` : `: ${error}`);
  } finally {
    await worker.terminate();
  }
}

function cannotBeParsed(files: readonly EnvoyText[], reason: string): InvalidFile {
  return new InvalidFile([`${files.map(({ path }) => path).join(', ')} can't be parsed${reason}`]);
}
