import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assessSignIn } from './assess-sign-in.ts';
import type { PastSignIn } from './sign-in.ts';
import { address, CITY_NAMES, device, NOW, past, places } from './testing-sign-ins.ts';

const ids = fc.option(fc.constantFrom('a', 'b', 'c'), { nil: null });
const cities = fc.option(fc.constantFrom(...CITY_NAMES, 'unknown'), { nil: null });
const devices = fc.record({ id: ids, fingerprint: ids, city: cities }).map(({ id, fingerprint, city }) => ({
  ...device(),
  id,
  fingerprint,
  ipAddress: city === null ? null : address(city),
}));
/** No two at the same time: which of those is the latest is nobody's to say. */
const histories = fc.uniqueArray(
  fc
    .tuple(devices, fc.integer({ min: 0, max: 3_000 }))
    .map(([{ id, fingerprint, ipAddress }, minutes]): PastSignIn => {
      return { at: past(minutes).at, deviceId: id, fingerprint, ipAddress };
    }),
  { maxLength: 50, selector: ({ at }) => at.getTime() },
);

describe('a sign-in', () => {
  it('is found fault with by each rule, in their order', () => {
    const history = [past(30, { id: 'a', fingerprint: 'f', from: 'london' })];
    const findings = assessSignIn({ device: device({ id: 'b', from: 'sydney' }), at: NOW, history, places });
    expect(findings.map(({ rule }) => rule)).toEqual(['new_device', 'new_country', 'impossible_travel']);
  });

  it('is not where it is like the one before', () => {
    const history = [past(30, { id: 'a', from: 'london' })];
    expect(assessSignIn({ device: device({ id: 'a', from: 'london' }), at: NOW, history, places })).toEqual(
      [],
    );
  });

  it('is not where the user has not signed in before', () => {
    fc.assert(
      fc.property(devices, (now) => {
        expect(assessSignIn({ device: now, at: NOW, history: [], places })).toEqual([]);
      }),
    );
  });

  it('is never where it repeats the latest one', () => {
    fc.assert(
      fc.property(devices, histories, (now, history) => {
        const { id, fingerprint, ipAddress } = now;
        const same = { at: NOW, deviceId: id, fingerprint, ipAddress };
        const rules = assessSignIn({ device: now, at: NOW, history: [...history, same], places }).map(
          ({ rule }) => rule,
        );
        expect(rules).not.toContain('new_device');
        expect(rules).not.toContain('new_country');
        const located = ipAddress !== null && places.find(ipAddress)?.latitude != null;
        if (located && history.every(({ at }) => at < NOW)) expect(rules).toEqual([]);
      }),
    );
  });

  it('is judged alike in whatever order its history comes', () => {
    const shuffled = histories.chain((history) =>
      fc.tuple(
        fc.constant(history),
        fc.shuffledSubarray(history, { minLength: history.length, maxLength: history.length }),
      ),
    );
    let found = 0;
    fc.assert(
      fc.property(devices, shuffled, (now, [history, reordered]) => {
        const findings = assessSignIn({ device: now, at: NOW, history, places });
        found += findings.length;
        expect(assessSignIn({ device: now, at: NOW, history: reordered, places })).toEqual(findings);
      }),
    );
    expect(found).toBeGreaterThan(0);
  });

  it('gives away no address, no coordinates and no device', () => {
    fc.assert(
      fc.property(devices, histories, (now, history) => {
        for (const { metadata } of assessSignIn({ device: now, at: NOW, history, places })) {
          for (const value of Object.values(metadata).flat()) {
            expect(value === null || Number.isSafeInteger(value) || /^[A-Z]{2}$/.test(String(value))).toBe(
              true,
            );
          }
        }
      }),
    );
  });
});
