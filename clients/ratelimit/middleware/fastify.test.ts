import { once } from 'node:events';
import { connect, type Http2Server } from 'node:http2';
import { type FastifyInstance, type FastifyRequest, fastify, type RouteGenericInterface } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limitRequests } from './fastify.ts';
import { byUser } from './keys.ts';
import { httpMiddlewareSpec } from './testing-http.ts';
import { atOneTime, perMinute, startTestLimits, type TestLimits } from './testing-middleware.ts';

describe('Fastify', () => {
  httpMiddlewareSpec(async (options, { reached, held }) => {
    const app = fastify({ forceCloseConnections: true });
    // The posts of this test are text.
    app.addContentTypeParser('*', { parseAs: 'string' }, async () => undefined);
    app.addHook('onRequest', limitRequests(options));
    app.route({
      method: ['GET', 'POST'],
      url: '/ok',
      handler: async () => {
        reached();
        return 'done';
      },
    });
    app.get('/fail', async () => {
      reached();
      throw new Error('broken');
    });
    app.get('/hold', (_, reply) => {
      reached();
      async function* body() {
        yield 'begun, ';
        await held;
        yield 'done';
      }
      return reply.send(new ReadableStream({ pull: pullOf(body()) }));
    });
    return await listening(app);
  });

  describe('as a hook of one route', () => {
    const resources = new AsyncDisposableStack();
    let limits: TestLimits;
    beforeAll(async () => {
      limits = resources.use(await startTestLimits());
    });
    afterAll(() => resources.disposeAsync());

    it('limits that route, by what earlier hooks have found out', async () => {
      const app = fastify();
      const users = new WeakMap<FastifyRequest, string>();
      app.addHook('onRequest', async (request) => {
        users.set(request, String(request.headers['x-user']));
      });
      const preHandler = limitRequests({
        limiter: limits.limiter,
        endpoint: await limits.rule(perMinute(1)),
        key: byUser((request) => users.get(request)),
      });
      app.get<{ Params: { id: string } }>('/orders/:id', { preHandler }, async ({ params }) => params.id);
      app.get('/else', async () => 'else');
      const { url, close } = await listening(app);
      resources.defer(close);

      const status = async (path: string, user: string) =>
        (await fetch(`${url}${path}`, { headers: { 'x-user': user } })).status;
      expect(await status('/orders/1', 'ada')).toBe(200);
      expect(await status('/orders/2', 'ada')).toBe(429);
      expect(await status('/orders/2', 'grace')).toBe(200);
      expect(await status('/else', 'ada')).toBe(200);
    });

    it('limits requests over HTTP/2', async () => {
      const app = fastify({ http2: true });
      const endpoint = await limits.rule(atOneTime(1));
      const key = byUser<FastifyRequest<RouteGenericInterface, Http2Server>>(({ raw }) => raw.authority);
      app.addHook('onRequest', limitRequests<Http2Server>({ limiter: limits.limiter, endpoint, key }));
      app.get('/', async () => 'done');
      const url = await app.listen({ port: 0, host: '127.0.0.1' });
      const session = connect(url);
      resources.defer(async () => {
        session.destroy();
        await app.close();
      });
      const { decision } = await limits.limiter.check({ endpoint, identifier: `user:${new URL(url).host}` });
      const status = async () => {
        const [headers] = await once(session.request({ ':path': '/' }).resume(), 'response');
        return [headers[':status'], headers['x-ratelimit-limit']];
      };
      expect(await status()).toEqual([429, '1']);
      await limits.limiter.refund(decision?.receipt ?? '');
      // The lease of each ends with its answer.
      for (let sent = 0; sent < 3; sent += 1) await expect.poll(status).toEqual([200, '1']);
    });
  });
});

async function listening(app: FastifyInstance) {
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  return { url, close: async () => await app.close() };
}

function pullOf(body: AsyncIterator<string>) {
  return async (controller: ReadableStreamDefaultController) => {
    const { value, done } = await body.next();
    if (done === true) controller.close();
    else controller.enqueue(new TextEncoder().encode(value));
  };
}
