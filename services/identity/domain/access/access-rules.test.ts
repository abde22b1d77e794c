import { describe, expect, it } from 'vitest';
import type { AccessRequirement } from './access.ts';
import { type AccessRule, AccessRules } from './access-rules.ts';

const required: AccessRequirement = {
  token: 'required',
  roles: [],
  acr: undefined,
  maxAgeSeconds: undefined,
};
const open: AccessRequirement = { ...required, token: 'none' };
const denied: AccessRequirement = { ...required, token: 'deny' };
const forAdmins: AccessRequirement = { ...required, roles: [['admin']] };

function rule(requirement: AccessRequirement, more: Partial<AccessRule>): AccessRule {
  return { hosts: undefined, methods: undefined, paths: undefined, ...more, requirement };
}

const request = (path: string, method = 'GET', host = 'api.example.com') => ({ path, method, host });

describe('the first rule that matches holds', () => {
  const rules = new AccessRules({
    rules: [
      rule(denied, { hosts: ['old.example.com'] }),
      rule(open, { hosts: ['*.static.example.com'] }),
      rule(open, { methods: ['GET', 'HEAD'], paths: ['/public/*', '/status'] }),
      rule(forAdmins, { paths: ['/admin', '/admin/*'] }),
      rule(denied, { methods: ['TRACE'] }),
    ],
    fallback: required,
  });

  it.each([
    ['/status', 'GET', 'api.example.com', open],
    ['/status', 'POST', 'api.example.com', required],
    ['/status/', 'GET', 'api.example.com', required],
    ['/public/a/b', 'HEAD', 'api.example.com', open],
    ['/public', 'GET', 'api.example.com', required],
    ['/publicity', 'GET', 'api.example.com', required],
    ['/admin', 'GET', 'api.example.com', forAdmins],
    ['/admin/x', 'POST', 'api.example.com', forAdmins],
    ['/status', 'GET', '', 'unsafe_host'],
    ['/admin', 'TRACE', 'api.example.com', forAdmins],
    ['/x', 'TRACE', 'api.example.com', denied],
    ['/public/x', 'GET', 'old.example.com', denied],
    ['/admin', 'GET', 'a.static.example.com', open],
    ['/admin', 'GET', 'a.b.static.example.com', open],
    ['/x', 'GET', 'static.example.com', required],
    ['/x', 'GET', 'nostatic.example.com', required],
    ['/x', 'GET', '.static.example.com', required],
  ])('%s, %s, %s', (path, method, host, requirement) => {
    expect(rules.requirementOf(request(path, method, host), undefined)).toEqual(requirement);
  });

  it.each(['/%61dmin', '//admin', '/public/../admin', '/admin/.', '/public/%2e%2e/admin/', '/x/..//admin'])(
    'and %s is a path of the administration like any other',
    (path) => {
      expect(rules.requirementOf(request(path), undefined)).toEqual(forAdmins);
    },
  );

  it.each(['/public/..%2fadmin', '/public\\..\\admin', '/admin%00', '/%', 'admin', ''])(
    'and %j may be any path: nobody gets through',
    (path) => {
      expect(rules.requirementOf(request(path), undefined)).toBe('unsafe_path');
      expect(rules.requirementOf(request(path), open)).toBe('unsafe_path');
    },
  );

  it.each(['/admin;x', '/public/..;/admin', '/admin//../public/x', '/admin/..;/status'])(
    'and %s is held to all that it may be read as',
    (path) => {
      expect(rules.requirementOf(request(path), undefined)).toMatchObject({
        token: 'required',
        roles: [['admin']],
      });
    },
  );
});

describe('an upstream may tell less apart than the rules do', () => {
  const rules = new AccessRules({
    rules: [
      rule(open, { paths: ['/public/*'] }),
      rule(forAdmins, { paths: ['/Admin/*'] }),
      rule(denied, { paths: ['/secret'] }),
      rule(forAdmins, { methods: ['GET'], paths: ['/reports'] }),
      rule(open, { paths: ['/docs'] }),
      rule(required, { paths: ['/docs/*'] }),
    ],
    fallback: { ...required, token: 'optional' },
  });
  const of = (path: string, method?: string) => rules.requirementOf(request(path, method), undefined);

  it.each(['/Admin/x', '/admin/x', '/ADMIN/x', '/Admin', '/admin', '//x/admin', '//x/Admin/y'])(
    '%s may be the administration',
    (path) => {
      expect(of(path)).toMatchObject({ token: 'required', roles: [['admin']] });
    },
  );

  it.each(['/secret', '/secret/', '/SECRET'])('%s may be what nobody may see', (path) => {
    expect(of(path)).toMatchObject({ token: 'deny' });
  });

  it('HEAD may be answered as GET is, and no other method', () => {
    expect(of('/reports', 'HEAD')).toEqual({ ...forAdmins, token: 'required' });
    expect(of('/reports', 'POST')).toMatchObject({ token: 'optional', roles: [] });
  });

  it('nothing is opened by that', () => {
    for (const path of ['/PUBLIC/x', '/public']) expect(of(path)).toMatchObject({ token: 'optional' });
    expect(of('/public/x')).toEqual(open);
    expect(of('/public/')).toEqual(open);
  });

  it('a rule for the one stands before that for all of them, and holds', () => {
    expect(of('/docs')).toEqual(open);
    expect(of('/docs/x')).toEqual(required);
  });
});

it('without a rule that goes by path any path will do', () => {
  const rules = new AccessRules({
    rules: [rule(open, { hosts: ['static.example.com'] })],
    fallback: required,
  });
  expect(rules.requirementOf(request('/a%2fb'), undefined)).toEqual(required);
  expect(rules.requirementOf(request('*', 'OPTIONS', 'static.example.com'), undefined)).toEqual(open);
});

it('a path that is none is refused', () => {
  const rules = [rule(open, { paths: ['/a/../b'] })];
  expect(() => new AccessRules({ rules, fallback: required })).toThrow(RangeError);
});

describe('what a gateway requires', () => {
  const rules = new AccessRules({
    rules: [
      rule(open, { paths: ['/open'] }),
      rule({ ...required, token: 'optional' }, { paths: ['/optional'] }),
      rule(
        { ...required, roles: [['admin', 'premium']], acr: 'aal1', maxAgeSeconds: 60 },
        { paths: ['/strict'] },
      ),
      rule(denied, { paths: ['/denied'] }),
    ],
    fallback: { ...required, acr: 'aal2' },
  });
  const of = (path: string, gateway: AccessRequirement) => rules.requirementOf(request(path), gateway);

  it('holds in place of the default where no rule matches', () => {
    expect(of('/other', open)).toEqual(open);
    expect(of('/other', forAdmins)).toEqual(forAdmins);
  });

  it('holds together with a rule: of each part the stricter one', () => {
    const gateway: AccessRequirement = {
      token: 'required',
      roles: [['user', 'admin']],
      acr: 'aal2',
      maxAgeSeconds: 900,
    };
    expect(of('/strict', gateway)).toEqual({
      token: 'required',
      roles: [
        ['admin', 'premium'],
        ['user', 'admin'],
      ],
      acr: 'aal2',
      maxAgeSeconds: 60,
    });
    expect(of('/open', gateway)).toEqual(gateway);
    expect(of('/optional', gateway)).toEqual(gateway);
    expect(of('/denied', gateway)).toMatchObject({ token: 'deny' });
  });

  it('never opens what a rule closes', () => {
    expect(of('/strict', open)).toMatchObject({ token: 'required', acr: 'aal1', maxAgeSeconds: 60 });
    expect(of('/optional', open)).toMatchObject({ token: 'optional' });
    expect(of('/denied', open)).toMatchObject({ token: 'deny' });
    expect(of('/open', denied)).toMatchObject({ token: 'deny' });
  });
});
