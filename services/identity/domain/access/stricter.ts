import type { AccessRequirement } from './access.ts';

/** From the least to the most. */
const TOKEN_ORDER: readonly AccessRequirement['token'][] = ['none', 'optional', 'required', 'deny'];

/** What meets both requirements: in each part the stricter one; of roles, one of each list. */
export function stricter(a: AccessRequirement, b: AccessRequirement): AccessRequirement {
  const ages = [a.maxAgeSeconds, b.maxAgeSeconds].filter((age) => age !== undefined);
  return {
    token: TOKEN_ORDER.indexOf(a.token) > TOKEN_ORDER.indexOf(b.token) ? a.token : b.token,
    roles: [...new Set([...a.roles, ...b.roles])],
    acr: a.acr === 'aal2' || b.acr === 'aal2' ? 'aal2' : (a.acr ?? b.acr),
    maxAgeSeconds: ages.length === 0 ? undefined : Math.min(...ages),
  };
}
