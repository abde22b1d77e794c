import { describe, expect, it } from 'vitest';
import {
  booleanSetting,
  choiceSetting,
  InvalidSettings,
  integerSetting,
  listSetting,
  portSetting,
  readSettings,
  secretSetting,
  textSetting,
  urlSetting,
} from './settings.ts';

const definitions = {
  port: portSetting('PORT', 8080, 'A port.'),
  size: integerSetting('SIZE', 5, { min: 1, max: 10 }, 'A size.'),
  on: booleanSetting('ON', false, 'A switch.'),
  mood: choiceSetting('MOOD', 'calm', ['calm', 'wild'], 'A mood.'),
  name: textSetting('NAME', undefined, 'A name.', (text) =>
    text.includes(' ') ? 'must have no spaces' : undefined,
  ),
  list: listSetting('LIST', [], 'A list.', (part) => (part === 'bad' ? 'must be good' : undefined)),
  url: urlSetting('URL', undefined, ['redis', 'rediss'], 'A URL.', (url) =>
    url.pathname === '/bad' ? 'must have a good path' : undefined,
  ),
  key: secretSetting('KEY', 'A key.', (text) => {
    if (text.length < 4) throw new Error('must have four characters');
    return text.toUpperCase();
  }),
};

function problems(env: Record<string, string>): readonly string[] {
  try {
    readSettings(definitions, env);
  } catch (error) {
    if (error instanceof InvalidSettings) return error.problems;
    throw error;
  }
  return [];
}

describe('readSettings', () => {
  it('takes the fallback of what is unset or empty', () => {
    const values = readSettings(definitions, { SIZE: '', MOOD: '  ' });
    expect(values).toEqual({
      port: 8080,
      size: 5,
      on: false,
      mood: 'calm',
      name: undefined,
      list: [],
      url: undefined,
      key: undefined,
    });
  });

  it('reads each kind', () => {
    const values = readSettings(definitions, {
      PORT: '0',
      SIZE: '10',
      ON: 'Yes',
      MOOD: 'wild',
      NAME: ' ada ',
      LIST: 'a, b,,c ',
      URL: 'rediss://user:pass@host:1',
      KEY: 'abcd',
    });
    expect(values).toEqual({
      port: 0,
      size: 10,
      on: true,
      mood: 'wild',
      name: 'ada',
      list: ['a', 'b', 'c'],
      url: 'rediss://user:pass@host:1',
      key: 'ABCD',
    });
  });

  it.each([
    [{ PORT: '70000' }, 'PORT must be a whole number from 0 to 65535, not "70000"'],
    [{ PORT: '80a' }, 'PORT must be a whole number from 0 to 65535, not "80a"'],
    [{ SIZE: '1e1' }, 'SIZE must be a whole number from 1 to 10, not "1e1"'],
    [{ SIZE: '0' }, 'SIZE must be a whole number from 1 to 10, not "0"'],
    [{ ON: 'maybe' }, 'ON must be true or false, not "maybe"'],
    [{ MOOD: 'Calm' }, 'MOOD must be one of calm, wild, not "Calm"'],
    [{ NAME: 'a b' }, 'NAME must have no spaces, not "a b"'],
    [{ URL: 'http://x' }, 'URL must be a URL that starts with redis:// or rediss://'],
    [{ URL: 'redis' }, 'URL must be a URL that starts with redis:// or rediss://'],
    [{ URL: 'redis:' }, 'URL must name a host'],
    [{ URL: 'redis:h' }, 'URL must name a host'],
    [{ URL: 'redis:///0?host=' }, 'URL must name a host'],
    [{ URL: 'redis://h/bad' }, 'URL must have a good path'],
    [{ URL: 'redis://u%:p@h' }, 'URL must have each % of a user name or password written as %25'],
    [{ URL: 'redis://u:p%zz@h' }, 'URL must have each % of a user name or password written as %25'],
    [{ URL: 'redis://u:p%ff@h' }, 'URL must have each % of a user name or password written as %25'],
    [{ LIST: 'a,bad,c' }, 'LIST must be good, not "bad"'],
    [{ KEY: 'abc' }, 'KEY must have four characters'],
  ])('names the variable of a bad value: %o', (env, problem) => {
    expect(problems(env as Record<string, string>)).toEqual([problem]);
  });

  it('names all bad values at once', () => {
    expect(problems({ PORT: 'x', ON: 'x' })).toHaveLength(2);
  });

  it('never repeats a secret', () => {
    const found = problems({ URL: 'postgres://ada:hunter2@host', KEY: 'abc' });
    expect(found.join()).not.toMatch(/hunter2|abc/);
    for (const url of ['redis://:hunter2%@host', 'redis://:hunter2@host/bad', 'redis:?password=hunter2']) {
      expect(problems({ URL: url })).toEqual([expect.not.stringContaining('hunter2')]);
    }
  });
});
