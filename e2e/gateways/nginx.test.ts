import { startGateway } from '../../testing/gateways.ts';
import { adapted, configurationOf } from './configuration.ts';
import { describeGateway, type Places } from './gateway-behaviour.ts';

/** What a system's own nginx.conf has, with all that nginx writes in the test's directory. */
const MAIN = `
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr notice;
events {}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  include optix/gateway.conf;
}
`;

function files({ identity, ratelimit, upstream, key }: Places, port: number) {
  const named = Object.entries(configurationOf('nginx')).map(
    ([name, text]) => [`optix/${name}`, text] as const,
  );
  const configuration = Object.fromEntries(named);
  return {
    'nginx.conf': MAIN,
    ...configuration,
    'optix/gateway.conf': adapted(configuration['optix/gateway.conf'] ?? '', {
      'listen 80;': `listen 127.0.0.1:${port};`,
      '127.0.0.1:8081': identity,
      '127.0.0.1:8082': ratelimit,
      '127.0.0.1:8080': upstream,
      '127.0.0.1:8090': upstream,
    }),
    'optix/keys.conf': adapted(configuration['optix/keys.conf'] ?? '', {
      'replace-by-the-key-of-identity': key,
      'replace-by-the-key-of-ratelimit': key,
    }),
  };
}

describeGateway('nginx', {
  start: (places) =>
    startGateway({
      program: 'nginx',
      files: (port) => files(places, port),
      args: ['-p', '.', '-c', 'nginx.conf', '-e', 'stderr'],
    }),
  statusOfFailure: 503,
  tellsAllowed: true,
});
