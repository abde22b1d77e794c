import { findPromtool } from '../deploy/testing-promtool.ts';
import { ensurePackage } from './ensure-package.ts';

/** Sees to it that the tests have promtool, as {@link ensurePackage} does. Debian has it in Prometheus' own package. */
export async function ensurePrometheus(): Promise<string> {
  return await ensurePackage({
    needed: 'promtool on PATH',
    find: findPromtool,
    debian: 'prometheus',
    commands: {
      darwin: 'brew install prometheus',
      dnf: 'sudo dnf install -y golang-github-prometheus',
      apk: 'apk add prometheus',
    },
  });
}
