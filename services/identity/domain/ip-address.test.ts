import { expect, test } from 'vitest';
import { limitedNetwork, parseIpAddress } from './ip-address.ts';

test.each([
  ['203.0.113.9', '203.0.113.9', '203.0.113.9'],
  ['2001:DB8:0:0:0:0:0:1', '2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['1:0:0:2::1', '1:0:0:2::1', '1:0:0:2::/64'],
  ['::1', '::1', '0:0:0:0::/64'],
  ['fe80::', 'fe80::', 'fe80:0:0:0::/64'],
  // Dual-stack sockets report IPv4 callers like this.
  ['::ffff:203.0.113.9', '203.0.113.9', '203.0.113.9'],
  ['::FFFF:cb00:7109', '203.0.113.9', '203.0.113.9'],
])('%s is %s and counted as %s', (text, address, network) => {
  const parsed = parseIpAddress(text);
  expect(parsed).toEqual({ ok: true, value: address });
  if (parsed.ok) expect(limitedNetwork(parsed.value)).toBe(network);
});

test.each(['', 'localhost', '256.1.1.1', '1.2.3', '01.2.3.4', '1.2.3.4:80', '[::1]', 'fe80::1%eth0', '::1 '])(
  'refuses %j',
  (text) => {
    expect(parseIpAddress(text).ok).toBe(false);
  },
);
