import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stackDirectory } from '../testing/stack-directory.ts';
import { openDataDirectory } from './data-directory.ts';
import { freePort } from './ports.ts';
import { endService, type ServiceProcess, startService } from './service-process.ts';

/** Serves health on the port, after a warning; leaves with code 0 at SIGTERM. */
const SERVICE = `
  import { createServer } from 'node:http';
  console.log(JSON.stringify({ level: 30, msg: 'starting' }));
  console.log(JSON.stringify({ level: 40, msg: 'slow disk' }));
  const server = createServer((_, response) => response.end('{}')).listen(Number(process.env.PORT), '127.0.0.1');
  process.once('SIGTERM', () => { server.closeAllConnections(); server.close(); });
`;

async function launch(
  directory: string,
  program: string,
): Promise<{ service: ServiceProcess; said: string[]; data: ReturnType<typeof openDataDirectory> }> {
  const data = openDataDirectory(join(directory, 'data'));
  const main = join(directory, 'main.mjs');
  writeFileSync(main, program);
  const port = await freePort();
  const said: string[] = [];
  const service = startService({
    name: 'sample',
    main,
    cwd: directory,
    env: { PORT: String(port) },
    data,
    healthUrl: `http://127.0.0.1:${port}/health`,
    drainMs: 5_000,
    say: (line) => said.push(line),
  });
  return { service, said, data };
}

test('serves, shows warnings only, logs everything, and stops by SIGTERM', async () => {
  using directory = stackDirectory();
  const { service, said } = await launch(directory.path, SERVICE);
  await service.untilServing(20_000);
  await service.stop();
  await expect(service.exited).resolves.toBe('exit code 0');
  expect(said).toEqual(['sample warning: slow disk']);
  expect(readFileSync(service.logFile, 'utf8')).toContain('"starting"');
});

test('a service that ends while starting is reported with its last lines', async () => {
  using directory = stackDirectory();
  const { service, said } = await launch(
    directory.path,
    `console.error('PORT must be a number'); process.exit(3);`,
  );
  await expect(service.untilServing(20_000)).rejects.toThrow(/sample ended while starting \(exit code 3\)/);
  await expect(service.untilServing(20_000)).rejects.toThrow(/PORT must be a number$/);
  expect(said).toEqual(['sample: PORT must be a number']);
  await service.stop();
});

test('a service that does not become healthy is reported after the time-out', async () => {
  using directory = stackDirectory();
  const { service } = await launch(directory.path, 'setInterval(() => {}, 1000);');
  await expect(service.untilServing(200)).rejects.toThrow(/sample is not healthy after 0.2 s \(http:/);
  service.kill('SIGKILL');
  await expect(service.exited).resolves.toBe('ended by SIGKILL');
});

test('a later run ends the service that a killed one left', async () => {
  using directory = stackDirectory();
  const { service, data } = await launch(directory.path, SERVICE);
  await service.untilServing(20_000);
  await expect(endService(data, 'sample')).resolves.toBe(service.pid);
  await expect(service.exited).resolves.toMatch(/exit code 0|ended by SIGTERM/);
  await expect(endService(data, 'sample')).resolves.toBeUndefined();
});
