/** The command line can't be understood. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** What `optix help` prints around the list of commands. */
export function usageText(commands: string): string {
  return `Usage: optix <command> [options]

${commands}

optix help <command> [action], or --help behind them, tells what they take, with examples; optix --version which release
this is. Settings are environment variables; a file .env of the checkout or, of the installed package, of the current
directory is read too. Commands that call a service take its API key from OPTIX_API_KEY.`;
}
