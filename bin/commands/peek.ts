import { askLimiter, CHECK_OPTIONS, checkHelp } from './check/ask-limiter.ts';

const HELP = checkHelp(
  'peek',
  'Tells what a check would be answered now, and counts nothing.',
  `  optix peek auth_login user:4711
  optix peek orders user:4711 --cost 100 --json`,
);

/** `optix peek`: looks at the limits of an operation. */
export async function peekCommand(args: string[]): Promise<number> {
  const form = { name: 'peek', help: HELP, options: CHECK_OPTIONS, positionals: ['endpoint', 'identifier'] };
  return await askLimiter(
    form,
    args,
    async (limiter, check) => (await limiter.peekLimit({ check })).decision,
  );
}
