import type { AddressInfo } from 'node:net';
import express from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limitRequests } from './express.ts';
import { byUser } from './keys.ts';
import { httpMiddlewareSpec } from './testing-http.ts';
import { perMinute, startTestLimits, type TestLimits } from './testing-middleware.ts';

describe('Express', () => {
  httpMiddlewareSpec(async (options, { reached, held }) => {
    const app = express();
    // Express would write the handler's error to the console.
    app.set('env', 'test');
    app.use(limitRequests(options));
    app.all('/ok', (_, response) => {
      reached();
      response.send('done');
    });
    app.get('/fail', () => {
      reached();
      throw new Error('broken');
    });
    app.get('/hold', async (_, response) => {
      reached();
      response.write('begun, ');
      await held;
      response.end('done');
    });
    return await listening(app);
  });

  describe('on some routes alone', () => {
    const resources = new AsyncDisposableStack();
    let limits: TestLimits;
    beforeAll(async () => {
      limits = resources.use(await startTestLimits());
    });
    afterAll(() => resources.disposeAsync());

    it('sees the path as the client sent it, and the request as Express has it', async () => {
      const endpoint = await limits.rule(perMinute(1));
      const app = express();
      const paths: string[] = [];
      const orders = limitRequests({
        limiter: limits.limiter,
        endpoint,
        key: byUser((request) => request.get('x-user')),
        skip: (request, { path }) => {
          paths.push(`${request.path} of ${path}`);
          return request.method === 'HEAD';
        },
      });
      app.use('/orders', orders, (_, response) => {
        response.send('orders');
      });
      app.use((_, response) => {
        response.send('else');
      });
      const { url, close } = await listening(app);
      resources.defer(async () => void (await close()));

      const status = async (path: string) =>
        (await fetch(`${url}${path}`, { headers: { 'x-user': 'ada' } })).status;
      expect(await status('/orders/1?page=2')).toBe(200);
      expect(await status('/orders/1')).toBe(429);
      expect(await status('/else')).toBe(200);
      expect(paths).toEqual(['/1 of /orders/1', '/1 of /orders/1']);
    });
  });
});

async function listening(app: express.Express) {
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const close = () =>
    new Promise<unknown>((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}
