import { Findings } from './finding.ts';

/** The least release of Node that the package runs on: `engines` in package.json. */
const LEAST_NODE = 22;

/** Looks at what the command itself runs on. */
export function checkMachine(version = process.versions.node): Findings {
  const findings = new Findings('machine');
  if (Number.parseInt(version, 10) >= LEAST_NODE) findings.ok(`Node ${version}`);
  else {
    findings.add(
      'problem',
      `Node ${version}`,
      `the services need Node ${LEAST_NODE} or newer`,
      'install a supported release of Node',
    );
  }
  return findings;
}
