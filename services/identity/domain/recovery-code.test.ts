import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createRecoveryCodes,
  hashRecoveryCode,
  parseRecoveryCode,
  type RecoveryCode,
} from './recovery-code.ts';
import type { Uuid } from './uuid.ts';

const USER = '0198c5a0-7bff-7fff-bfbf-ffffffffffff' as Uuid;
const OTHER = '0198c5a0-7bff-7fff-bfbf-fffffffffffe' as Uuid;
const CODE = '0123AB-CDEFGH-JKMNPQ-RSTVWX' as RecoveryCode;

test('ten codes that differ, each with its hash', () => {
  const codes = createRecoveryCodes(USER);
  expect(codes).toHaveLength(10);
  for (const { code, hash } of codes) {
    expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{6}(-[0-9A-HJKMNP-TV-Z]{6}){3}$/);
    expect(hash).toEqual(hashRecoveryCode(USER, code));
  }
  expect(new Set(codes.map(({ code }) => code)).size).toBe(10);
});

test('every character of every place is used: 120 random bits', () => {
  const codes = Array.from({ length: 100 }, () => createRecoveryCodes(USER)).flat();
  for (let place = 0; place < 27; place += 1) {
    const used = new Set(codes.map(({ code }) => code.charAt(place)));
    expect(used.size).toBe([6, 13, 20].includes(place) ? 1 : 32);
  }
});

describe('the hash', () => {
  test('is that of the encoding that is documented', () => {
    const encoded = `optix recovery code 1\0${USER}${CODE}`;
    expect(hashRecoveryCode(USER, CODE)).toEqual(createHash('sha256').update(encoded).digest());
  });

  test('of one code is another for another user', () => {
    expect(hashRecoveryCode(OTHER, CODE)).not.toEqual(hashRecoveryCode(USER, CODE));
  });
});

describe('is read:', () => {
  test.each([
    ['as it was shown', CODE],
    ['without hyphens', '0123ABCDEFGHJKMNPQRSTVWX'],
    ['in lower case', CODE.toLowerCase()],
    ['with spaces for hyphens, and around it', '  0123AB CDEFGH JKMNPQ RSTVWX '],
    ['with spaces and hyphens between all characters', [...CODE].join(' ')],
    ['with letters that look like digits', 'ol23ab-cdefgh-jkmnpq-rstvwx'],
    ['with I for one', 'OI23AB-CDEFGH-JKMNPQ-RSTVWX'],
  ])('%s', (_case, text) => {
    expect(parseRecoveryCode(text)).toEqual({ ok: true, value: CODE });
  });

  test('whatever code was made, however it is typed', () => {
    const code = fc.constantFrom(...createRecoveryCodes(USER).map(({ code }) => code));
    const styles = fc.array(fc.constantFrom('lower', 'space', 'none'), { minLength: 27, maxLength: 27 });
    fc.assert(
      fc.property(code, styles, (code, styles) => {
        const typed = [...code].map((character, place) => {
          if (styles[place] === 'lower') return character.toLowerCase();
          return styles[place] === 'space' ? `${character} ` : character;
        });
        expect(parseRecoveryCode(typed.join(''))).toEqual({ ok: true, value: code });
      }),
    );
  });
});

describe('is no recovery code:', () => {
  const form = 'must be a recovery code: 24 letters and digits';
  test.each([
    ['nothing', '', form],
    ['a code of an app', '123456', form],
    ['a character too few', CODE.slice(0, -1), form],
    ['a character too many', `${CODE}0`, form],
    ['the letter U', CODE.replace('A', 'U'), form],
    ['a line break', `${CODE}\n`, form],
    ['a letter whose upper case is ASCII', CODE.replace('S', 'ſ'), form],
    ['far too much', CODE.repeat(3), 'must have at most 64 characters'],
  ])('%s', (_case, text, reason) => {
    expect(parseRecoveryCode(text)).toEqual({ ok: false, reason });
  });
});
