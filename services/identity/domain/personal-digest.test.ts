import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { IpAddress } from './ip-address.ts';
import { newPersonalSalt, type PersonalPart, personalDigest } from './personal-digest.ts';

const salt = Buffer.alloc(32, 7);
const nothing: PersonalPart = { id: null, fingerprint: null, ipAddress: null, userAgent: null };

test('is the hash of the encoding that is documented', () => {
  const part = { ...nothing, id: 'ä', ipAddress: '::1' as IpAddress };
  const encoded = [
    Buffer.from('optix security event personal part 1\0'),
    salt,
    Buffer.from([1, 0, 0, 0, 2, 0xc3, 0xa4]),
    Buffer.from([0]),
    Buffer.from([1, 0, 0, 0, 3, 0x3a, 0x3a, 0x31]),
    Buffer.from([0]),
  ];
  expect(personalDigest(salt, part)).toEqual(createHash('sha256').update(Buffer.concat(encoded)).digest());
});

test('differs with every part, with where a text stands and ends, and with the salt', () => {
  const parts: PersonalPart[] = [
    nothing,
    { ...nothing, id: '' },
    { ...nothing, id: 'a' },
    { ...nothing, fingerprint: 'a' },
    { ...nothing, userAgent: 'a' },
    { ...nothing, ipAddress: 'a' as IpAddress },
    { ...nothing, id: 'a', fingerprint: 'b' },
    { ...nothing, id: 'ab' },
    { ...nothing, fingerprint: 'ab' },
  ];
  const digests = parts.map((part) => personalDigest(salt, part).toString('hex'));
  expect(new Set(digests).size).toBe(parts.length);
  expect(personalDigest(newPersonalSalt(), nothing)).not.toEqual(personalDigest(newPersonalSalt(), nothing));
});
