import { setImmediate } from 'node:timers/promises';
import type { Uuid } from '../uuid.ts';
import { AnchorCheck } from './anchor-check.ts';
import type { ChainHead } from './chain.ts';
import type { ChainBase, ChainSource } from './chain-source.ts';
import { ChainWalk } from './chain-walk.ts';
import type { Finding } from './finding.ts';
import { readPositions } from './sealed-positions.ts';
import type { Suspect } from './suspect.ts';
import { SuspectExplainer } from './suspect-explainer.ts';

export interface VerifyOptions {
  /**
   * Heads of the chain that were exported before, in any order. Without one, a chain that was cut off or written anew as a
   * whole looks like one that always was so.
   */
  readonly anchors?: readonly ChainHead[];
  /** An anchor: only what comes after it is verified. One from before the chain's beginning stands for the beginning. */
  readonly from?: ChainHead;
  /** From 1 on: stops after as many entries. Default: all. */
  readonly maxEntries?: bigint;
  /** From 1 on: stops where there are more. Default: 100. */
  readonly maxFindings?: number;
  readonly signal?: AbortSignal;
}

export interface VerifyResult {
  /** How many entries were looked at. */
  readonly verified: bigint;
  /** The number of the first entry that was to be looked at. */
  readonly firstSequence: bigint;
  /** The last entry that was looked at: where to go on, and an anchor for the next time unless there are findings. */
  readonly head: ChainHead;
  /** In the order of their sequence; those without a number last. */
  readonly findings: readonly Finding[];
  /** False where it stopped before the end of the log, or has not told all that it found. */
  readonly isComplete: boolean;
  /** Numbers of the anchors from before the place where it began: they were not checked, or can't be any more. */
  readonly uncheckedAnchors: readonly bigint[];
}

/** Suspects that are held to be compared with each other, at least: a single exchange makes four. */
const LEAST_SUSPECTS = 200;

/**
 * Verifies the audit log: every event is as it was sealed, every seal follows from the one before, none is gone, and the
 * chain passes through the anchors. After something wrong it goes on from what is stored, so that one change is told once
 * and not for each entry behind it. Holds a batch of entries and the suspects in memory.
 *
 * @throws DatabaseUnavailable, and the signal's reason
 */
export async function verifyChain(source: ChainSource, options: VerifyOptions = {}): Promise<VerifyResult> {
  const { from, maxEntries, maxFindings = 100, signal } = options;
  const anchors = [...(options.anchors ?? []), ...(from === undefined ? [] : [from])];
  const base = await source.base();
  const start = from === undefined || from.sequence <= base.sequence ? base : from;
  // Read before the seals: the chain may grow behind it meanwhile, and not shrink.
  const storedHead = await source.head();
  const anchorCheck = new AnchorCheck(
    [...anchors, storedHead].filter(({ sequence }) => sequence >= start.sequence),
  );

  const room = Math.max(LEAST_SUSPECTS, 2 * maxFindings);
  const walk = new ChainWalk({ source, base, start, anchorCheck, room, maxEntries });
  for await (const positions of readPositions(source, walk.position, signal)) {
    await walk.visit(positions);
    if (walk.isStopped) break;
  }
  const head = walk.last ?? (storedHead.sequence < start.sequence ? storedHead : start);

  const findings = [...(await explainAll(walk.suspects, await source.base(), signal)), ...walk.findings];
  if (!walk.isStopped) findings.push(...anchorCheck.end(head.sequence));
  findings.sort(bySequence);
  if (!walk.isStopped) findings.push(...(await source.unsealedEvents(maxFindings + 1)).map(unsealed));
  return {
    verified: walk.verified,
    firstSequence: start.sequence + 1n,
    head: { sequence: head.sequence, chainHash: head.chainHash },
    findings: findings.slice(0, maxFindings),
    isComplete: !walk.isStopped && findings.length <= maxFindings,
    uncheckedAnchors: anchors.map(({ sequence }) => sequence).filter((sequence) => sequence < start.sequence),
  };
}

async function explainAll(
  suspects: readonly Suspect[],
  base: ChainBase,
  signal: AbortSignal | undefined,
): Promise<Finding[]> {
  const explainer = new SuspectExplainer(suspects, base);
  const findings: Finding[] = [];
  for (const suspect of suspects) {
    findings.push(...explainer.explain(suspect));
    // Comparing one with all others takes up to some milliseconds: calls have their turn between.
    await setImmediate();
    signal?.throwIfAborted();
  }
  return findings;
}

function bySequence(a: Finding, b: Finding): number {
  return Number((a.sequence ?? 0n) - (b.sequence ?? 0n));
}

function unsealed(eventId: Uuid): Finding {
  const description = 'the event has no seal, and does not wait for one';
  return { kind: 'UNSEALED_EVENT', sequence: null, lastSequence: null, eventId, description };
}
