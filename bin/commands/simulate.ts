import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { InvalidFile } from '../../runtime/invalid-file.ts';
import { DEFAULT_RULES } from '../../services/ratelimit/domain/default-rules.ts';
import { RuleSet } from '../../services/ratelimit/domain/rule-set.ts';
import {
  type EndpointOf,
  InvalidEndpointMap,
  readEndpointMap,
} from '../../services/ratelimit/simulate/endpoint-map.ts';
import { plotSvg } from '../../services/ratelimit/simulate/plot.ts';
import { openLog } from '../../services/ratelimit/simulate/read-lines.ts';
import { reportText } from '../../services/ratelimit/simulate/report-text.ts';
import { simulate } from '../../services/ratelimit/simulate/simulate.ts';
import type { SimulationReport } from '../../services/ratelimit/simulate/simulation-report.ts';
import { loadRuleFile, parseRuleFile } from '../../services/ratelimit/storage/rule-file.ts';
import { EXIT } from '../output/exit-code.ts';
import { printableJson, printableLines } from '../output/printable.ts';
import { openProgress } from '../output/progress.ts';
import { readSimulateFlags } from './simulate/flags.ts';

/** `optix simulate`: tries rules on an access log. */
export async function simulateCommand(args: string[]): Promise<number> {
  const flags = readSimulateFlags(args);
  if (flags === undefined) return EXIT.DONE;
  const rules = await readRules(flags.rules);
  const endpointOf = flags.map === undefined ? () => flags.endpoint : await readMap(flags.map);
  const log = await openLog(flags.log);
  using progress = openProgress(process.stderr);
  const onProgress = () => progress.show(log);
  const report = await simulate({ ...flags, log, rules, endpointOf, onProgress });
  progress.clear();
  const name = flags.log === '-' ? 'standard input' : basename(flags.log);
  refuseUnread(report, name);
  if (flags.svg !== undefined) await writeFile(flags.svg, plotSvg(report, name));
  console.log(
    flags.json
      ? printableJson(JSON.stringify(report, null, 2))
      : printableLines(reportText(report, name, process.stdout.columns)),
  );
  return EXIT.DONE;
}

async function readRules(path: string | undefined): Promise<RuleSet> {
  if (path === undefined) return new RuleSet(DEFAULT_RULES);
  try {
    return new RuleSet(await parseRuleFile(path, await loadRuleFile(path)));
  } catch (error) {
    if (error instanceof InvalidFile) throw new Error(error.problems.join('\n'));
    throw error;
  }
}

async function readMap(path: string): Promise<EndpointOf> {
  try {
    return readEndpointMap(await readFile(path, 'utf8'));
  } catch (error) {
    if (error instanceof InvalidEndpointMap) {
      throw new Error(error.problems.map((problem) => `${path}:${problem}`).join('\n'));
    }
    throw new Error(`${path} can't be read: ${(error as NodeJS.ErrnoException).code ?? error}`);
  }
}

/** A log of which nothing could be read is most likely one of another format. */
function refuseUnread({ log }: SimulationReport, name: string): void {
  const [first] = log.unreadable.first;
  if (first === undefined || log.requests + log.withoutEndpoint + log.withoutIdentifier > 0) return;
  throw new Error(
    `no line of ${name} could be read as a request (--format): line ${first.line} ${first.reason}`,
  );
}
