import { parentPort, workerData } from 'node:worker_threads';
import { readRulesYaml } from './rules-yaml.ts';

// A rules file of 750 kB takes the parser a second.
parentPort?.postMessage(readRulesYaml(workerData as string));
