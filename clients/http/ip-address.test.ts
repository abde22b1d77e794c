import { SocketAddress } from 'node:net';
import fc from 'fast-check';
import { expect, it, test } from 'vitest';
import { networkOf, parseIp } from './ip-address.ts';

test('writes every IPv6 address as the system does', () => {
  const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      // The system writes what is mapped or compatible with IPv4 in its own way.
      fc.pre(groups.slice(0, 5).some((value) => value !== 0));
      const address = groups.map((value) => value.toString(16)).join(':');
      const expected = new SocketAddress({ address, family: 'ipv6' }).address;
      expect(parseIp(address)).toEqual({ family: 'ipv6', text: expected });
      expect(parseIp(expected)).toEqual({ family: 'ipv6', text: expected });
    }),
  );
});

it.each([
  ['::', '::'],
  ['::1', '::1'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ['::ffff:192.0.2.33', '192.0.2.33'],
  ['192.0.2.33', '192.0.2.33'],
])('reads %s as %s', (text, expected) => {
  expect(parseIp(text)?.text).toBe(expected);
});

it.each(['', '1', '1.2.3', '01.2.3.4', '1.2.3.4:80', '[::1]', ':::', '1::2::3', '12345::', '%eth0', ' ::1'])(
  'reads no address in %j',
  (text) => {
    expect(parseIp(text)).toBeUndefined();
  },
);

it.each([
  ['2001:db8:1:2:3:4:5:6', 64, '2001:db8:1:2::/64'],
  ['2001:db8:1:2ff:3:4:5:6', 56, '2001:db8:1:200::/56'],
  ['2001:db8:1:2:3:4:5:6', 1, '::/1'],
  ['2001:db8:1:2:3:4:5:7', 127, '2001:db8:1:2:3:4:5:6/127'],
  ['2001:db8::6', 128, '2001:db8::6'],
  ['192.0.2.33', 64, '192.0.2.33'],
])('%s is in the /%i %s', (text, prefix, expected) => {
  const address = parseIp(text);
  expect(address && networkOf(address, prefix)).toBe(expected);
});
