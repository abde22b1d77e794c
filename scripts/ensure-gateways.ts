import { findGateway } from '../testing/gateways.ts';
import { ensurePackage } from './ensure-package.ts';

/** The gateways that Debian has, and its packages of them. */
const GATEWAYS = { nginx: 'nginx-light', haproxy: 'haproxy', caddy: 'caddy' };

/** Sees to it that the tests have the gateways of deploy/ that Debian has, as {@link ensurePackage} does. */
export async function ensureGateways(): Promise<void> {
  for (const [program, debian] of Object.entries(GATEWAYS)) {
    await ensurePackage({
      needed: `${program} on PATH or in /usr/sbin`,
      find: () => findGateway(program),
      debian,
      commands: {
        darwin: `brew install ${program}`,
        dnf: `sudo dnf install -y ${program}`,
        apk: `apk add ${program}`,
      },
    });
  }
}
