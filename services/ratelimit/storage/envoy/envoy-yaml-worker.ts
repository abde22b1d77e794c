import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { inSlices } from './envoy-slices.ts';
import { type EnvoyText, readEnvoyYaml } from './envoy-yaml.ts';

/** Longer than a slice takes the receiver. */
const PAUSE_MS = 5;

// A file of a megabyte takes the parser a second.
const { files, mergeDomains } = workerData as { files: readonly EnvoyText[]; mergeDomains: boolean };
const { definitions, problems } = readEnvoyYaml(files, mergeDomains);
if (problems.length === 0) {
  for (const slice of inSlices(definitions)) {
    parentPort?.postMessage({ definitions: [slice] });
    // What comes while the receiver is busy it takes in one turn.
    await pause(PAUSE_MS);
  }
}
parentPort?.postMessage({ definitions: [], problems });
