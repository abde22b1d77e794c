import { startGateway } from '../../testing/gateways.ts';
import { configurationOf } from './configuration.ts';
import { describeGateway } from './gateway-behaviour.ts';

describeGateway('HAProxy', {
  start: ({ identity, ratelimit, upstream, key }) =>
    startGateway({
      program: 'haproxy',
      files: () => configurationOf('haproxy'),
      args: ['-f', 'haproxy.cfg'],
      listensToo: ['ASK_IDENTITY', 'ASK_RATELIMIT'],
      env: (port) => ({
        ...{ BIND: `127.0.0.1:${port}`, IDENTITY: identity, RATELIMIT: ratelimit },
        ...{ BACKEND: upstream, ASSETS: upstream },
        ...{ OPTIX_IDENTITY_KEY: key, OPTIX_RATELIMIT_KEY: key },
      }),
    }),
  statusOfFailure: 503,
  tellsAllowed: true,
});
