import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * For the environment of every process that a test starts: most of what such a one takes is to read its TypeScript. Goes with
 * the directory of the run.
 */
export const NODE_COMPILE_CACHE = join(tmpdir(), 'optix-compile-cache');
