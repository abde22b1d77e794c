import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';

const SECRET = 'qz-planted-value';
const FAULT = `Object.assign(new Error('boom'), { detail: '${SECRET}', parameters: ['${SECRET}'] })`;

/** Runs a service that does something odd, as a process of its own. */
async function ended(start: string) {
  const program = `
    import { runService } from '${new URL('lifecycle.ts', import.meta.url).href}';
    import { createLogger } from '${new URL('logger.ts', import.meta.url).href}';
    const logger = createLogger({ service: 'odd', level: 'info', debug: false });
    await runService(async () => { ${start} });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
  const [code] = await once(child, 'close');
  return { code, stdout: await stdout, stderr: await stderr };
}

const SERVING = 'return { logger, async [Symbol.asyncDispose]() {} };';

it.each([
  [
    'an error that nobody catches',
    `setTimeout(() => { throw ${FAULT}; }, 1); ${SERVING}`,
    'uncaughtException',
  ],
  [
    'a promise that nobody handles',
    `setTimeout(() => Promise.reject(${FAULT}), 1); ${SERVING}`,
    'unhandledRejection',
  ],
])('%s ends the process with a line of the log, without what hangs on it', async (_, start, origin) => {
  const { code, stdout, stderr } = await ended(start);
  expect([code, stderr]).toEqual([1, '']);
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ level: 60, msg: 'unexpected end', origin, err: { type: 'Error', message: 'boom' } },
  });
  expect(stdout).not.toContain(SECRET);
});

it('a start that fails for no known reason tells it on one line, without what hangs on it', async () => {
  const { code, stdout, stderr } = await ended(`throw ${FAULT};`);
  expect([code, stdout]).toEqual([1, '']);
  expect(JSON.parse(stderr)).toMatchObject({ type: 'Error', message: 'boom' });
  expect(stderr).not.toContain(SECRET);
});
