import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { expect, test } from 'vitest';
import { authenticate, identityOf, requireIdentity } from './express.ts';
import { describeHttpMiddleware, type StartApp, TRANSFERS, whose } from './testing-http-middleware.ts';

const startApp: StartApp = async (verifier) => {
  const realm = 'shop';
  const answer: express.RequestHandler = (request, response) => {
    response.json(whose(identityOf(request)));
  };
  const quiet: express.ErrorRequestHandler = (_error, _request, response, _next) => {
    response.status(500).json({});
  };
  const orders = express.Router();
  orders.get('/', answer);
  orders.get('/admin', requireIdentity({ roles: ['admin', 'owner'] }), answer);
  const app = express();
  app.use((_request, response, next) => {
    response.setHeader('x-before', 'kept');
    next();
  });
  app.use('/orders', authenticate({ verifier, realm }), orders);
  app.get('/transfers', authenticate({ verifier, realm, requirement: TRANSFERS }), answer);
  app.use('/open', authenticate({ verifier, realm, optional: true }));
  app.get('/open', answer);
  app.get('/open/mine', requireIdentity(), answer);
  app.get('/forgotten', requireIdentity(), answer);
  app.use(quiet);
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

describeHttpMiddleware(startApp);

test('what the verifier fails with besides is the application’s to answer', async () => {
  const verifier = { verify: () => Promise.reject(new RangeError('a bug')) };
  await using app = await startApp(verifier);
  const response = await fetch(`http://127.0.0.1:${app.port}/orders`, {
    headers: { authorization: 'Bearer x', connection: 'close' },
  });
  expect(response.status).toBe(500);
});
