import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { ANY_CALLER, type Policy } from '../runtime/callers/policy.ts';
import { settings as identitySettings } from '../services/identity/config.ts';
import { policy as identity } from '../services/identity/policy.ts';
import { settings as ratelimitSettings } from '../services/ratelimit/config.ts';
import { policy as ratelimit } from '../services/ratelimit/policy.ts';
import { code } from './markdown.ts';

/** A process, and what it serves to whom. */
export interface Server {
  readonly name: string;
  readonly policy: Policy;
  readonly grpcPort: number;
  readonly httpPort: number;
}

/** Both, by what their own settings and policies say. */
export const SERVERS: readonly Server[] = [
  {
    name: 'identity',
    policy: identity,
    grpcPort: identitySettings.grpcPort.fallback,
    httpPort: identitySettings.httpPort.fallback,
  },
  {
    name: 'ratelimit',
    policy: ratelimit,
    grpcPort: ratelimitSettings.grpcPort.fallback,
    httpPort: ratelimitSettings.httpPort.fallback,
  },
];

/** Names of all settings that comments in the contracts may mention. */
export const SETTING_NAMES: ReadonlySet<string> = new Set(
  [...Object.values(identitySettings), ...Object.values(ratelimitSettings)].map(({ env }) => env),
);

/** Full names of the services that a policy lets anybody call. */
export function servicesOf({ policy }: Server): readonly string[] {
  return [...new Set([...policy.rpcs].filter(isRpc).map((rpc) => rpc.split('/')[0] as string))];
}

/** What a policy has beside RPCs, `GET /path` each, with the scope that it needs. */
export function otherRoutesOf({ policy }: Server): readonly (readonly [route: string, scope: string])[] {
  return [...policy.rpcs].filter((entry) => !isRpc(entry)).map((entry) => [entry, scopeOf(policy, entry)]);
}

/** The servers of a service. */
export function serversOf({ typeName }: DescService): readonly Server[] {
  return SERVERS.filter((server) => servicesOf(server).includes(typeName));
}

/**
 * The scope that an RPC needs, as Markdown.
 *
 * @throws Error where a policy does not have it.
 */
export function scopesOf({ name, parent }: DescMethod): string {
  const scopes = serversOf(parent).map(({ policy }) => scopeOf(policy, `${parent.typeName}/${name}`));
  return [...new Set(scopes)].join('; ');
}

function isRpc(entry: string): boolean {
  return !entry.includes(' ');
}

function scopeOf(policy: Policy, entry: string): string {
  const need = policy.needOf(entry);
  if (need === undefined) throw new Error(`no policy has ${entry}`);
  if (need === ANY_CALLER) return 'any caller';
  return policy.isAdmin(need) ? `${code(need)} (administration)` : code(need);
}
