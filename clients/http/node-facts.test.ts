import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { HttpFacts } from './http-facts.ts';
import { nodeFacts } from './node-facts.ts';

const server = createServer();
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => {
  server.close();
});

/** The facts of a request that is sent as it stands here, after `change`. */
async function factsOf(
  lines: readonly string[],
  change?: (request: IncomingMessage) => void,
): Promise<HttpFacts> {
  const received = once(server, 'request');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write([...lines, 'Host: a', 'Connection: close', '', ''].join('\r\n'));
  const [request, response] = await received;
  change?.(request);
  const facts = nodeFacts(request);
  // Read while the connection is there.
  const { remoteAddress } = facts;
  response.end();
  await once(socket.resume(), 'close');
  return { ...facts, remoteAddress };
}

test('tells method, path and peer', async () => {
  expect(await factsOf(['DELETE /orders/1?force=yes HTTP/1.1'])).toMatchObject({
    method: 'DELETE',
    path: '/orders/1',
    remoteAddress: '127.0.0.1',
  });
  expect((await factsOf(['GET http://example.com/orders?page=2 HTTP/1.1'])).path).toBe('/orders');
});

test('shows both of two headers of which Node keeps one', async () => {
  const { header } = await factsOf(['GET / HTTP/1.1', 'Authorization: Bearer a', 'authorization: Bearer b']);
  expect(header('authorization')).toBe('Bearer a, Bearer b');
  expect(header('cookie')).toBeUndefined();
});

test('shows headers as earlier middleware has left them', async () => {
  const lines = ['GET / HTTP/1.1', 'X-Forwarded-For: 6.6.6.6', 'X-Forwarded-For: 7.7.7.7', 'Cookie: t=1'];
  const { header } = await factsOf(lines, ({ headers }) => {
    delete headers['x-forwarded-for'];
    headers.authorization = 'Bearer of-the-cookie';
  });
  expect(header('x-forwarded-for')).toBeUndefined();
  expect(header('authorization')).toBe('Bearer of-the-cookie');
  expect(header('cookie')).toBe('t=1');
});
