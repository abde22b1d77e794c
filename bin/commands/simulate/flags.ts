import { RULE_NAME } from '../../../services/ratelimit/domain/rule.ts';
import { FALLBACK_RULE } from '../../../services/ratelimit/domain/rule-set.ts';
import {
  jsonLineReader,
  readFieldNames,
  USUAL_FIELD_NAMES,
} from '../../../services/ratelimit/simulate/json-line.ts';
import type { LineReader } from '../../../services/ratelimit/simulate/logged-request.ts';
import { readSubjects, type Subject } from '../../../services/ratelimit/simulate/subject.ts';
import { TEXT_HEADERS, textLineReader } from '../../../services/ratelimit/simulate/text-line.ts';
import { parseWindow } from '../../../services/ratelimit/storage/window-text.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { UsageError } from '../../usage.ts';

const HELP = `Usage: optix simulate <log> [options]

Replays an access log by its own times against rules, and tells what they would have allowed and denied. Nothing is
asked of a service, and nothing is changed. The log may be packed by gzip; - reads standard input.

  --rules FILE        rules to try, as RATELIMIT_RULES_FILE has them; the built-in ones, if not given
  --endpoint NAME     what every request asks for; ${FALLBACK_RULE}, if not given
  --map FILE          or: which paths ask for what (YAML)
  --by WHOM           ip, user or header:NAME; with commas the first that a request has (ip)
  --format FORMAT     common, combined or json; told by the first line, if not given
  --fields A=B,...    names in JSON lines: time, ip, user, method, path, request, cost, roles, duration
  --reorder 1m        how late a line may come after a newer one (1m)
  --duration 250ms    how long a request takes whose line does not say, for CONCURRENCY limits
  --suggest RATIO     find the smallest limit that denies no more: 0.01 is one request in a hundred
  --top N             callers of a ranking, at most 1000 (10)
  --json              print the report as JSON
  --svg FILE          write a plot over time

  optix simulate access.log
  optix simulate access.log.2.gz --rules rules.yaml --map endpoints.yaml --svg plot.svg
  zcat -f access.log* | optix simulate - --endpoint orders --suggest 0.001 --json
  optix simulate caddy.log --by user,ip --fields user=user_id`;

const TEXT = { type: 'string' } as const;
const OPTIONS = {
  rules: TEXT,
  endpoint: TEXT,
  map: TEXT,
  by: TEXT,
  format: TEXT,
  fields: TEXT,
  reorder: TEXT,
  duration: TEXT,
  suggest: TEXT,
  top: TEXT,
  svg: TEXT,
} as const;
const FORMATS: readonly (string | undefined)[] = [undefined, 'common', 'combined', 'json'];

/** What the command line asks for. */
export interface SimulateFlags {
  /** `-` for standard input. */
  readonly log: string;
  readonly rules: string | undefined;
  /** Of all requests, where there is no map. */
  readonly endpoint: string;
  readonly map: string | undefined;
  /** @throws UsageError where the log's format does not have what is asked for */
  readonly readerFor: (firstLine: string) => LineReader;
  readonly reorderMicros: number;
  readonly durationMicros: number | undefined;
  readonly suggestRatio: number | undefined;
  readonly top: number;
  readonly json: boolean;
  readonly svg: string | undefined;
}

/**
 * Reads the command line.
 *
 * @returns undefined where it asks for help, which is printed
 * @throws UsageError
 */
export function readSimulateFlags(args: string[]): SimulateFlags | undefined {
  const form = { name: 'simulate', help: HELP, options: OPTIONS, positionals: ['log'] };
  const read = readArguments(form, args);
  if (read === undefined) return undefined;
  const {
    values,
    positionals: [log = ''],
  } = read;
  return {
    log,
    rules: values.rules,
    endpoint: endpointOf(values.endpoint, values.map),
    map: values.map,
    readerFor: readerOf(values.format, subjectsOf(values.by), values.fields, values.by),
    reorderMicros: micros('--reorder', values.reorder) ?? 60_000_000,
    durationMicros: micros('--duration', values.duration),
    suggestRatio: ratioOf(values.suggest),
    top: topOf(values.top),
    json: values.json ?? false,
    svg: values.svg,
  };
}

function subjectsOf(by = 'ip'): readonly Subject[] {
  const subjects = readSubjects(by);
  if (subjects === undefined) throw new UsageError(`simulate: --by ${by} is not ip, user or header:NAME`);
  return subjects;
}

function readerOf(
  format: string | undefined,
  subjects: readonly Subject[],
  fields: string | undefined,
  by: string | undefined,
): (firstLine: string) => LineReader {
  if (!FORMATS.includes(format)) {
    throw new UsageError(`simulate: --format ${format} is none of common, combined and json`);
  }
  let names = USUAL_FIELD_NAMES;
  try {
    if (fields !== undefined) names = readFieldNames(fields);
  } catch (error) {
    throw new UsageError(`simulate: --fields: ${(error as Error).message}`);
  }
  const isInText = (subject: Subject) => typeof subject === 'string' || TEXT_HEADERS.includes(subject.header);
  const checkText = () => {
    if (fields !== undefined) throw new UsageError('simulate: --fields is for JSON lines only');
    if (subjects.every(isInText) && (format !== 'common' || !by?.includes('header:'))) return;
    throw new UsageError(
      `simulate: --by ${by}: such a log has no other headers than ${TEXT_HEADERS.join(' and ')} (combined)`,
    );
  };
  if (format === 'common' || format === 'combined') checkText();
  return (firstLine) => {
    if (format === 'json' || (format === undefined && firstLine.startsWith('{'))) {
      return jsonLineReader(subjects, names);
    }
    checkText();
    return textLineReader(subjects);
  };
}

function endpointOf(endpoint: string | undefined, map: string | undefined): string {
  if (endpoint !== undefined && map !== undefined) {
    throw new UsageError('simulate: --endpoint or --map, not both');
  }
  if (endpoint !== undefined && !RULE_NAME.test(endpoint)) {
    throw new UsageError('simulate: --endpoint must be 1 to 128 characters of A-Z a-z 0-9 _ . : / -');
  }
  return endpoint ?? FALLBACK_RULE;
}

function micros(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = parseWindow(text);
  if (Number.isNaN(value)) {
    throw new UsageError(`simulate: ${flag} ${text} is no length of time such as 250ms, 10s or 1m`);
  }
  return value;
}

function ratioOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ratio = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (ratio >= 0 && ratio < 1) return ratio;
  throw new UsageError(`simulate: --suggest ${text} is no share from 0 to below 1, such as 0.01`);
}

function topOf(text = '10'): number {
  const top = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (top >= 1 && top <= 1000) return top;
  throw new UsageError(`simulate: --top ${text} is no number from 1 to 1000`);
}
