import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const NAMES = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'];
const MACOS = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';

/**
 * The path of a Chromium or Chrome: CHROMIUM_PATH, else what PATH has, else where macOS keeps it.
 *
 * @throws Error where CHROMIUM_PATH names no program.
 */
export function findChromium(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const chosen = env['CHROMIUM_PATH'];
  if (chosen) {
    if (isProgram(chosen)) return chosen;
    throw new Error('CHROMIUM_PATH must be the path of a Chromium that this user may run');
  }
  const directories = (env['PATH'] ?? '').split(delimiter).filter(Boolean);
  const files = NAMES.flatMap((name) => directories.map((directory) => join(directory, name)));
  return [...files, MACOS].find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
