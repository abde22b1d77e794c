import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { authenticate, type IdentityEnv, requireIdentity } from './hono.ts';
import { describeHttpMiddleware, type StartApp, TRANSFERS, whose } from './testing-http-middleware.ts';

const startApp: StartApp = async (verifier) => {
  const realm = 'shop';
  const orders = new Hono<IdentityEnv>();
  orders.use(authenticate({ verifier, realm }));
  orders.get('/', (c) => c.json(whose(c.get('identity'))));
  orders.get('/admin', requireIdentity({ roles: ['admin', 'owner'] }), (c) => c.json(whose(c.var.identity)));
  const app = new Hono<IdentityEnv>();
  app.use(async (c, next) => {
    c.header('x-before', 'kept');
    await next();
  });
  app.onError((_error, c) => c.json({}, 500));
  app.route('/orders', orders);
  app.get('/transfers', authenticate({ verifier, realm, requirement: TRANSFERS }), (c) =>
    c.json(whose(c.get('identity'))),
  );
  app.use('/open/*', authenticate({ verifier, realm, optional: true }));
  app.get('/open', (c) => c.json(whose(c.get('identity'))));
  app.get('/open/mine', requireIdentity(), (c) => c.json(whose(c.get('identity'))));
  app.get('/forgotten', requireIdentity(), (c) => c.json({}));
  const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 });
  if (!server.listening) await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

describeHttpMiddleware(startApp);
