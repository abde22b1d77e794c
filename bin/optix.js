#!/usr/bin/env node
// What npm links as `optix`. Plain JavaScript that old releases of Node can read too: they are told what is missing.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const SOURCE = new URL('./optix.ts', import.meta.url);
const BUILT = new URL('../dist/bin/optix.js', import.meta.url);
/** The release that `npm install` brings to a checkout. */
const OWN_NODE = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url));
/** The oldest that runs everything, the services too: node:crypto has Argon2 since. */
const COMPLETE = [24, 7];
/** The oldest in package.json's `engines`. */
const OLDEST = [22, 0];

if (!existsSync(SOURCE)) {
  if (isAtLeast(OLDEST)) await import(BUILT.href);
  else refuse(OLDEST);
} else if (isAtLeast(COMPLETE)) {
  await import(SOURCE.href);
} else if (existsSync(OWN_NODE)) {
  runByOwnNode();
} else {
  refuse(COMPLETE);
}

/** @param {readonly number[]} release */
function isAtLeast([major, minor]) {
  const [ownMajor, ownMinor] = process.versions.node.split('.').map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

/** @param {readonly number[]} release */
function refuse([major, minor]) {
  const release = minor === 0 ? major : `${major}.${minor}`;
  console.error(
    `optix: needs Node ${release} or newer; this is ${process.versions.node} (${process.execPath})`,
  );
  process.exitCode = 1;
}

/** Runs bin/optix.ts as if this process were it: its terminal, its signals, its end. */
function runByOwnNode() {
  const child = spawn(OWN_NODE, [fileURLToPath(SOURCE), ...process.argv.slice(2)], { stdio: 'inherit' });
  // A terminal tells both processes of Ctrl-C: bin/interruption.ts takes what comes twice at once for one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`optix: can't run ${OWN_NODE}: ${error.message}`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal];
  });
}
