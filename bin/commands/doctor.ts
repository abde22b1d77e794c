import { EXIT } from '../output/exit-code.ts';
import { printJson } from '../output/message-json.ts';
import { readArguments } from '../output/read-arguments.ts';
import { UsageError } from '../usage.ts';
import { checkMachine } from './doctor/check-machine.ts';
import { checkPostgres } from './doctor/check-postgres.ts';
import { checkRedis } from './doctor/check-redis.ts';
import { checkService } from './doctor/check-service.ts';
import { checkSettings, type Env } from './doctor/check-settings.ts';
import type { Finding } from './doctor/finding.ts';
import { countLevels, reportText } from './doctor/report.ts';

const HELP = `Usage: optix doctor [options]

Reads the settings of both services from this environment, and asks the services on this machine, PostgreSQL and Redis
whether anything there would hurt: connections, versions, pending migrations, clocks, configuration, rights, default
secrets. Changes nothing, and shows no secret. Ends with 0 where there is no problem (warnings may be), else with 3.

  --only A,B          only these: machine, settings, services, postgresql, redis
  --json              print JSON: { problems, warnings, findings: [{ level, area, what, why, advice }] }

  optix doctor
  optix doctor --only settings
  optix doctor --json | jq '.findings[] | select(.level != "ok")'`;

const PARTS = ['machine', 'settings', 'services', 'postgresql', 'redis'] as const;
type Part = (typeof PARTS)[number];

/** `optix doctor`: looks for what is wrong. */
export async function doctorCommand(args: string[]): Promise<number> {
  const read = readArguments({ name: 'doctor', help: HELP, options: { only: { type: 'string' } } }, args);
  if (read === undefined) return EXIT.DONE;
  const findings = await examine(process.env, partsOf(read.values.only));
  const { problem: problems, warning: warnings } = countLevels(findings);
  if (read.values.json)
    printJson({ problems, warnings, findings: findings.map((finding) => ({ ...finding })) });
  else console.log(reportText(findings));
  return problems === 0 ? EXIT.DONE : EXIT.NO;
}

async function examine(env: Env, parts: ReadonlySet<Part>): Promise<readonly Finding[]> {
  const { findings: settings, identity, ratelimit } = checkSettings(env);
  const found = [];
  if (parts.has('machine')) found.push(checkMachine());
  if (parts.has('settings')) found.push(settings);
  // What can't be read can't be asked either: the settings say so.
  if (parts.has('services')) {
    if (identity !== undefined) found.push(await checkService('identity', identity));
    if (ratelimit !== undefined) found.push(await checkService('ratelimit', ratelimit));
  }
  if (parts.has('postgresql') && identity !== undefined) found.push(await checkPostgres(identity));
  const redis = ratelimit?.redis;
  if (parts.has('redis') && redis !== undefined)
    found.push(await checkRedis(redis, ratelimit?.redisTimeoutMs ?? 0));
  return found.flatMap(({ all }) => all);
}

function partsOf(text: string | undefined): ReadonlySet<Part> {
  const names = text === undefined ? PARTS : text.split(',');
  return new Set(
    names.map((name) => {
      const part = PARTS.find((each) => each === name);
      if (part === undefined) throw new UsageError(`doctor: --only "${name}" is none of ${PARTS.join(', ')}`);
      return part;
    }),
  );
}
