import { Findings } from './finding.ts';

/** The least release of Node that the services run on: node:crypto has Argon2 since. */
const OF_SERVICES = [24, 7] as const;
/** The least that the command line runs on: `engines` in package.json. */
const OF_COMMANDS = 22;

/** Looks at what the command itself runs on. */
export function checkMachine(version = process.versions.node): Findings {
  const findings = new Findings('machine');
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor, leastMinor] = OF_SERVICES;
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) findings.ok(`Node ${version}`);
  else {
    findings.add(
      major >= OF_COMMANDS ? 'warning' : 'problem',
      `Node ${version}`,
      `the services need Node ${OF_SERVICES.join('.')} or newer; this command runs on ${OF_COMMANDS} too`,
      'install a newer release of Node where services are to run',
    );
  }
  return findings;
}
