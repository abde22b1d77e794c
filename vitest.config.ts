import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Percent. */
export const LEAST_LINES_COVERED = 90;

export default defineConfig({
  test: {
    environment: 'node',
    include: ['**/*.test.ts'],
    exclude: ['node_modules/**', '.optix/**'],
    globalSetup: ['testing/global-setup.ts'],
    watch: false,
    // A process a file: tests send signals, change the environment and load native modules.
    pool: 'forks',
    isolate: true,
    // Much of a test's time is waiting for stores and timers: with two files at a time two cores are idle for a third of it.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 30_000,
    coverage: {
      provider: 'v8',
      include: ['runtime/**/*.ts', 'services/**/*.ts', 'clients/**/*.ts', 'stack/**/*.ts', 'bin/**/*.ts'],
      exclude: [
        '**/*.test.ts',
        // Tests run these as child processes, which this coverage does not see: they are held to being short instead.
        'services/*/main.ts',
        'bin/**',
      ],
      reporter: ['text-summary'],
      thresholds: { lines: LEAST_LINES_COVERED },
    },
  },
});
