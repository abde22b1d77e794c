import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';

/** A directory that a store's own user can reach, for tests that start stores of their own. Removed when disposed. */
export function stackDirectory(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(inject('temporaryDirectory'), 'stack-'));
  chmodSync(path, 0o711);
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
