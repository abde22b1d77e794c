import { askLimiter, CHECK_OPTIONS, checkHelp } from './check/ask-limiter.ts';

const HELP = checkHelp(
  'check',
  'Counts one operation, and tells whether it may go on.',
  `  optix check auth_login user:4711
  optix check orders ip:203.0.113.9 --cost 5 --json
  optix check orders user:4711 --role admin || echo denied`,
);

/** `optix check`: counts one operation against its limits. */
export async function checkCommand(args: string[]): Promise<number> {
  const form = { name: 'check', help: HELP, options: CHECK_OPTIONS, positionals: ['endpoint', 'identifier'] };
  return await askLimiter(form, args, async (limiter, check) => await limiter.checkLimit(check));
}
