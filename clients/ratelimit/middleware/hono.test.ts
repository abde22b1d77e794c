import type { AddressInfo } from 'node:net';
import { type ServerType, serve } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { stream } from 'hono/streaming';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limitRequests } from './hono.ts';
import { byIp, byUser } from './keys.ts';
import { LimitCheckFailed } from './limit-check-failed.ts';
import { httpMiddlewareSpec } from './testing-http.ts';
import { atOneTime, perMinute, startTestLimits, type TestLimits } from './testing-middleware.ts';

describe('Hono', () => {
  httpMiddlewareSpec(async (options, { reached, held }) => {
    const app = new Hono();
    app.onError((error, context) =>
      context.text('failed', error instanceof LimitCheckFailed ? error.statusCode : 500),
    );
    app.use(limitRequests(options));
    // A Response of the handler's own, as proxies have.
    app.on(['GET', 'POST'], '/ok', () => {
      reached();
      return new Response('done');
    });
    app.get('/fail', () => {
      reached();
      throw new Error('broken');
    });
    app.get('/hold', (context) => {
      reached();
      return stream(context, async (body) => {
        await body.write('begun, ');
        await held;
        await body.write('done');
      });
    });
    return await listening(app);
  });

  describe('beside', () => {
    const resources = new AsyncDisposableStack();
    let limits: TestLimits;
    beforeAll(async () => {
      limits = resources.use(await startTestLimits());
    });
    afterAll(() => resources.disposeAsync());

    it('other middleware, whose variables the key reads', async () => {
      const { limiter } = limits;
      interface AppEnv {
        Variables: { user: { id: string } };
      }
      const app = new Hono<AppEnv>();
      app.use(async (context, next) => {
        context.set('user', { id: context.req.header('x-user') ?? '' });
        await next();
      });
      const endpoint = await limits.rule(perMinute(1));
      const key = byUser<Context<AppEnv>>((context) => context.get('user').id);
      app.use('/orders/*', limitRequests<AppEnv>({ limiter, endpoint, key }));
      app.get('/orders/:id', (context) => context.text(context.req.param('id')));
      const { url, close } = await listening(app);
      resources.defer(close);

      const status = async (path: string, user: string) =>
        (await fetch(`${url}${path}`, { headers: { 'x-user': user } })).status;
      expect(await status('/orders/1', 'ada')).toBe(200);
      expect(await status('/orders/2', 'ada')).toBe(429);
      expect(await status('/orders/2', 'grace')).toBe(200);
    });

    it('servers that are not Node’s, which tell the address by a function', async () => {
      const { limiter } = limits;
      const app = new Hono();
      const endpoint = await limits.rule(
        { ...perMinute(2), name: 'minute' },
        { ...atOneTime(1), name: 'held' },
      );
      const remoteAddress = () => '203.0.113.9';
      app.use(limitRequests({ limiter, endpoint, key: byIp(), remoteAddress }));
      app.get('/', (context) => context.text('done'));
      expect((await app.request('/')).status).toBe(200);
      await expect
        .poll(async () => {
          const { decision } = await limiter.peek({ endpoint, identifier: 'ip:203.0.113.9' });
          return decision?.limits.map(({ remaining }) => remaining);
        })
        .toEqual([1, 1]);
      expect((await app.request('/')).status).toBe(200);
      expect((await app.request('/')).status).toBe(429);
    });
  });
});

async function listening(app: Pick<Hono, 'fetch'>) {
  let server: ServerType | undefined;
  const { port } = await new Promise<AddressInfo>((resolve) => {
    server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, resolve);
  });
  const close = () =>
    new Promise<void>((resolve) => {
      server?.close(() => resolve());
      if (server !== undefined && 'closeAllConnections' in server) server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}`, close };
}
