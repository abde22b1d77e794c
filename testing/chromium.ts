import { type Browser, chromium, type Page } from 'playwright-core';
import { findChromium } from './chromium-path.ts';

/** A headless Chromium of a test's own, with an empty profile. */
export interface Chromium extends AsyncDisposable {
  readonly browser: Browser;
  /** For example `156.0.8078.79`. */
  readonly version: string;
  /**
   * Opens an empty page of an origin, in a context of its own. The page itself comes from nowhere; every other request
   * to the origin reaches whatever serves it.
   */
  openPage(origin: string): Promise<Page>;
  close(): Promise<void>;
}

const ARGUMENTS = [
  // Root, as which tests run in containers, gets no sandbox.
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * Starts a Chromium. Closing it removes its profile; killing the test's process ends it too, and leaves the profile
 * in the system's temporary directory.
 *
 * @throws Error where none is installed; `npm test` sees to that.
 */
export async function startChromium(): Promise<Chromium> {
  const executablePath = findChromium();
  if (executablePath === undefined) {
    throw new Error(
      'there is no Chromium on PATH: `npm test` installs one, or says how to; or set CHROMIUM_PATH',
    );
  }
  const browser = await chromium.launch({ executablePath, args: ARGUMENTS });
  const close = () => browser.close();
  return {
    browser,
    version: browser.version(),
    openPage: (origin) => openPage(browser, origin),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function openPage(browser: Browser, origin: string): Promise<Page> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const url = `${origin}/`;
  await page.route(url, (route) =>
    route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>test</title>' }),
  );
  await page.goto(url);
  return page;
}
