import { createClient } from '@connectrpc/connect';
import { RateLimitAdminService } from '../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { RateLimitService } from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { failure } from '../testing/failure.ts';
import { identityRpcs } from './identity-rpcs.ts';
import type { LoggedProcess } from './logged-process.ts';
import { secret, secrets } from './planted-secrets.ts';
import type { Planting } from './planting.ts';
import { useSecondFactors } from './second-factor-secrets.ts';

/** Checks and administration of limits, well and badly. */
export async function plantInLimits(planting: Planting, ratelimit: LoggedProcess): Promise<void> {
  const transports = planting.transportsTo(ratelimit);
  for (const transport of transports) {
    const limiter = createClient(RateLimitService, transport);
    const admin = createClient(RateLimitAdminService, transport);
    const identifier = `user:${secret('identifier')}`;
    for (let time = 0; time < 6; time += 1) await limiter.checkLimit({ endpoint: 'pairs', identifier });
    await limiter.checkLimit({ endpoint: secret('endpoint'), identifier, roles: [secret('role')] });
    await limiter.peekLimit({ check: { endpoint: 'orders', identifier } });
    await failure(limiter.checkLimit({ endpoint: 'orders', identifier: `${identifier}\n`.repeat(100) }));
    await failure(limiter.checkLimit({ endpoint: '', identifier }));
    await failure(limiter.refundLimit({ receipt: secret('refused token') }));
    await failure(admin.getRule({ name: secret('refused token').toUpperCase() }));
    await failure(
      admin.updateRule({
        rule: { name: 'x', bypassRoles: [secret('role')] },
        updateMask: { paths: [secret('body')] },
      }),
    );
    await failure(admin.listTopLimited({ endpoint: identifier.repeat(20) }));
    for (const service of planting.transportsTo(ratelimit, 'API key of nobody')) {
      await failure(createClient(RateLimitService, service).checkLimit({ endpoint: 'orders', identifier }));
    }
  }
  await planting.plainHttp(ratelimit, 'optix.ratelimit.v1.RateLimitService/CheckLimit');
}

/** What people and operators do with accounts, well and badly. */
export async function plantInAccounts(
  planting: Planting,
  identity: LoggedProcess,
  databaseUrl: string,
): Promise<void> {
  const [grpc, http] = planting.transportsTo(identity).map((transport) => identityRpcs(transport));
  if (grpc === undefined || http === undefined) throw new Error('there are two');
  const email = secret('address of a user');
  const password = secret('password');
  const wrong = secret('wrong password');
  const device = {
    fingerprint: secret('fingerprint'),
    userAgent: secret('user agent'),
    ipAddress: '203.0.113.7',
  };
  await grpc.auth.register({ email, password, firstName: secret('name of a person'), device });
  const opened = await http.auth.authenticate({ email, password, device });
  secrets['access token'] = opened.accessToken;
  secrets['refresh token'] = opened.refreshToken;
  for (const rpcs of [grpc, http]) {
    await failure(rpcs.auth.register({ email, password }));
    await failure(rpcs.auth.register({ email: password, password: 'short' }));
    await failure(rpcs.auth.authenticate({ email, password: wrong, device }));
    await failure(rpcs.auth.authenticate({ email: secret('address of nobody'), password: wrong }));
    await failure(
      rpcs.auth.authenticate({ email, password, device: { ipAddress: secret('refused token') } }),
    );
    await failure(rpcs.users.getUser({ id: secret('refused token') }));
    await failure(rpcs.users.getUser({ email: secret('address of nobody') }));
    await failure(rpcs.tokens.introspectToken({ token: '' }));
    await rpcs.tokens.introspectToken({ token: opened.accessToken });
    await failure(rpcs.tokens.refreshToken({ refreshToken: secret('refused token') }));
    await failure(rpcs.users.verifyEmail({ token: secret('refused token') }));
    await failure(
      rpcs.credentials.confirmPasswordReset({ token: secret('refused token'), newPassword: wrong }),
    );
    await failure(rpcs.sessions.revokeSession({ id: secret('refused token'), reason: secret('body') }));
    await failure(rpcs.maintenance.runMaintenanceTask({ name: secret('refused token') }));
    await failure(
      rpcs.callers.createCallerKey({ name: secret('body').toUpperCase(), scopes: [secret('body')] }),
    );
    await failure(rpcs.users.listUsers({ orderBy: secret('refused token') }));
  }
  await useSecondFactors({ grpc, http }, databaseUrl, (name, value) => {
    secrets[name] = value;
  });
  await planting.plainHttp(identity, 'optix.identity.v1.AuthenticationService/Authenticate');
}
