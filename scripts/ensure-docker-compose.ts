import { findDockerCompose } from '../deploy/testing-compose-config.ts';
import { ensurePackage } from './ensure-package.ts';

/** Sees to it that the tests have Docker Compose, as {@link ensurePackage} does. They need no Docker to run beside it. */
export function ensureDockerCompose(): Promise<string> {
  return ensurePackage({
    needed: 'Docker Compose, as `docker compose` or `docker-compose`',
    find: () => findDockerCompose()?.command.join(' '),
    debian: 'docker-compose',
    commands: {
      darwin: 'brew install docker-compose',
      dnf: 'sudo dnf install -y docker-compose',
      apk: 'apk add docker-cli-compose',
    },
  });
}
