import { parentPort, workerData } from 'node:worker_threads';
import { type EnvoyText, readEnvoyYaml } from './envoy-yaml.ts';

// A file of a megabyte takes the parser a second.
const { files, mergeDomains } = workerData as { files: readonly EnvoyText[]; mergeDomains: boolean };
parentPort?.postMessage(readEnvoyYaml(files, mergeDomains));
