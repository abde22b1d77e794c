import { findChromium } from '../testing/chromium-path.ts';
import { ensurePackage } from './ensure-package.ts';

/** Sees to it that the tests have a Chromium, as {@link ensurePackage} does. */
export function ensureChromium(): Promise<string> {
  return ensurePackage({
    needed: 'Chromium or Chrome on PATH, or its path in CHROMIUM_PATH',
    find: findChromium,
    // A fifth less to download than `chromium`, and all that passkeys need.
    debian: 'chromium-headless-shell',
    commands: {
      darwin: 'brew install --cask google-chrome',
      dnf: 'sudo dnf install -y chromium',
      apk: 'apk add chromium',
    },
  });
}
