import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it, test } from 'vitest';
import { type ClientIpOptions, clientIp } from './client-ip.ts';
import { nodeFacts } from './node-facts.ts';

const PROXY = '10.0.0.2';
const behind: ClientIpOptions = { trustedProxies: ['10.0.0.0/8', '2001:db8:ff::/48'] };

function find(options: ClientIpOptions, peer: string | undefined, headers: Record<string, string> = {}) {
  const request = { method: 'GET', path: '/', remoteAddress: peer, header: (name: string) => headers[name] };
  return clientIp(options)(request)?.text;
}

describe('without a trusted proxy the client is', () => {
  it.each([
    ['the peer, whatever it claims', '203.0.113.9', '203.0.113.9'],
    ['the peer of a dual-stack socket', '::ffff:203.0.113.9', '203.0.113.9'],
    ['the same written in hexadecimal', '::FFFF:cb00:7109', '203.0.113.9'],
    ['an IPv6 peer in normal form', '2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['a link-local peer without its zone', 'fe80::1%eth0', 'fe80::1'],
    ['nobody on a Unix socket', undefined, undefined],
  ])('%s', (_, peer, expected) => {
    expect(find({}, peer, { 'x-forwarded-for': '198.51.100.1' })).toBe(expected);
  });
});

describe('behind trusted proxies', () => {
  it.each([
    ['the address that the proxy saw', '198.51.100.1', '198.51.100.1'],
    ['not what the client wrote left of it', '6.6.6.6, 198.51.100.1', '198.51.100.1'],
    ['the first beyond all trusted hops', '6.6.6.6, 198.51.100.1, 10.1.1.1,10.2.2.2', '198.51.100.1'],
    ['the farthest hop where all are trusted', '10.9.9.9, 10.1.1.1', '10.9.9.9'],
    ['an address with its port', '198.51.100.1:4711', '198.51.100.1'],
    ['an IPv6 address with its port', '[2001:db8::9]:4711', '2001:db8::9'],
    ['a bare IPv6 address', '2001:db8::9', '2001:db8::9'],
    ['an IPv4 address mapped into IPv6', '::ffff:198.51.100.1', '198.51.100.1'],
    ['what lies beyond an IPv6 proxy', '198.51.100.1, 2001:db8:ff::5', '198.51.100.1'],
    ['the peer where the header is empty', '', PROXY],
    ['the peer before garbage', '198.51.100.1, nonsense', PROXY],
    ['the last hop before garbage', '198.51.100.1, unknown, 10.1.1.1', '10.1.1.1'],
    ['the peer before an empty entry', '198.51.100.1, ', PROXY],
    ['the peer before an address out of range', '256.1.1.1', PROXY],
    ['the peer before an address with control characters', '198.51.100.1\u0000', PROXY],
    ['the peer before an address that goes on', '198.51.100.1 evil', PROXY],
  ])('the client is %s', (_, header, expected) => {
    expect(find(behind, PROXY, { 'x-forwarded-for': header })).toBe(expected);
  });

  it('the client is the peer where there is no header', () => {
    expect(find(behind, PROXY)).toBe(PROXY);
  });

  it('a proxy that is not trusted is not believed', () => {
    expect(find(behind, '203.0.113.9', { 'x-forwarded-for': '198.51.100.1' })).toBe('203.0.113.9');
  });

  it('a Unix socket is believed where it is trusted', () => {
    const headers = { 'x-forwarded-for': '198.51.100.1' };
    expect(find({ trustedProxies: ['unix'] }, undefined, headers)).toBe('198.51.100.1');
    expect(find(behind, undefined, headers)).toBeUndefined();
  });

  it('another header can bring the address', () => {
    const options = { ...behind, header: 'X-Real-IP' };
    const headers = { 'x-real-ip': '198.51.100.1', 'x-forwarded-for': '6.6.6.6' };
    expect(find(options, PROXY, headers)).toBe('198.51.100.1');
  });
});

describe('the header Forwarded', () => {
  it.each([
    ['for=198.51.100.1;proto=https;by=10.0.0.2', '198.51.100.1'],
    ['For="198.51.100.1:4711"', '198.51.100.1'],
    ['proto=https;for="[2001:db8:cafe::17]:4711"', '2001:db8:cafe::17'],
    ['for=6.6.6.6, for=198.51.100.1, for=10.1.1.1', '198.51.100.1'],
    ['for="6.6.6.6, for=198.51.100.1', '198.51.100.1'],
    ['for=_hidden', PROXY],
    ['for=unknown', PROXY],
    ['for=1.1.1.1;for=2.2.2.2', PROXY],
    ['proto=https', PROXY],
    ['198.51.100.1', PROXY],
    // A proxy that quotes a host of the client's making.
    ['for=198.51.100.1;host="a, for=6.6.6.6;x=b"', PROXY],
    ['for=198.51.100.1;host="a, for=6.6.6.6;x=\\""', PROXY],
    ['for=198.51.100.1;host="a;for=6.6.6.6"', PROXY],
  ])('%s names %s', (forwarded, expected) => {
    expect(find({ ...behind, header: 'forwarded' }, PROXY, { forwarded })).toBe(expected);
  });
});

test.each(['localhost', '10.0.0.0/33', '10.0.0.0/', '10.0.0/8', '::/129', '::ffff:10.0.0.0/104', 'Unix', ''])(
  'refuses the trusted proxy %j by name',
  (proxy) => {
    expect(() => clientIp({ trustedProxies: ['10.0.0.1', proxy] })).toThrow(
      new TypeError(
        `trustedProxies: ${JSON.stringify(proxy)} is not an address, a network (10.0.0.0/8) or "unix"`,
      ),
    );
  },
);

test('walks no further than any chain of proxies is long, where all the world is trusted', () => {
  const client = clientIp({ trustedProxies: ['0.0.0.0/0', '::/0'] });
  const hops = (count: number) => ['198.51.100.1', ...Array<string>(count).fill('::1')].join(',');
  const from = (count: number) =>
    client({ method: 'GET', path: '/', remoteAddress: '10.0.0.1', header: () => hops(count) })?.text;
  expect([from(63), from(64), from(4000)]).toEqual(['198.51.100.1', '::1', '::1']);
});

test('reads all headers of a name, in their order, off a real connection', async () => {
  const client = clientIp({ trustedProxies: ['127.0.0.1'] });
  const server = createServer((request, response) => {
    response.end(
      JSON.stringify([client(nodeFacts(request))?.text, nodeFacts(request).header('authorization')]),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const lines = ['X-Forwarded-For: 6.6.6.6', 'X-Forwarded-For: 198.51.100.1', 'Authorization: Bearer a'];
    const head = ['GET / HTTP/1.1', 'Host: a', 'Connection: close', ...lines, 'Authorization: Bearer b'];
    socket.end(`${head.join('\r\n')}\r\n\r\n`);
    expect(await text(socket)).toContain('["198.51.100.1","Bearer a, Bearer b"]');
  } finally {
    server.close();
  }
});
