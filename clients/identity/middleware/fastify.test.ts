import fastify, { type FastifyRequest } from 'fastify';
import { authenticate, identityOf, requireIdentity } from './fastify.ts';
import { describeHttpMiddleware, type StartApp, TRANSFERS, whose } from './testing-http-middleware.ts';

const startApp: StartApp = async (verifier) => {
  const realm = 'shop';
  const answer = async (request: FastifyRequest) => whose(identityOf(request));
  const app = fastify();
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('x-before', 'kept');
  });
  app.register((orders, _options, done) => {
    orders.addHook('onRequest', authenticate({ verifier, realm }));
    orders.get('/orders', answer);
    const onRequest = requireIdentity({ roles: ['admin', 'owner'] });
    orders.get('/orders/admin', { onRequest }, answer);
    done();
  });
  app.register((transfers, _options, done) => {
    transfers.addHook('onRequest', authenticate({ verifier, realm, requirement: TRANSFERS }));
    transfers.get('/transfers', answer);
    done();
  });
  app.register((open, _options, done) => {
    open.addHook('onRequest', authenticate({ verifier, realm, optional: true }));
    open.get('/open', answer);
    open.get('/open/mine', { preHandler: requireIdentity() }, answer);
    done();
  });
  app.get('/forgotten', { onRequest: requireIdentity() }, answer);
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  return { port: Number(new URL(address).port), [Symbol.asyncDispose]: () => app.close() };
};

describeHttpMiddleware(startApp);
