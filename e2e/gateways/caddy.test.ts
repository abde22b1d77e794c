import { startGateway } from '../../testing/gateways.ts';
import { configurationOf } from './configuration.ts';
import { describeGateway } from './gateway-behaviour.ts';

/** No door for administrators on a port of its own. */
const OPTIONS = '{\n\tadmin off\n}\n';

describeGateway('Caddy', {
  start: ({ identity, ratelimit, upstream, key }) =>
    startGateway({
      program: 'caddy',
      files: () => ({ Caddyfile: OPTIONS + configurationOf('caddy')['Caddyfile'] }),
      args: ['run', '--config', 'Caddyfile', '--adapter', 'caddyfile'],
      env: (port) => ({
        ...{ SITE: `http://:${port}`, IDENTITY: identity, RATELIMIT: ratelimit },
        ...{ BACKEND: upstream, ASSETS: upstream },
        ...{ OPTIX_IDENTITY_KEY: key, OPTIX_RATELIMIT_KEY: key },
      }),
    }),
  statusOfFailure: 502,
  tellsAllowed: true,
});
