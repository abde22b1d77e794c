import { printable } from '../../output/printable.ts';
import type { Finding } from './finding.ts';

const SIGNS = { ok: 'ok      ', warning: 'WARNING ', problem: 'PROBLEM ' } as const;

/** Findings for people: under each that is not well, what comes of it and what to do. */
export function reportText(findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ level, area, what, why, advice }) => {
    const line = `${SIGNS[level]} ${area.padEnd(10)}  ${printable(what)}`;
    if (level === 'ok') return [line];
    const indent = ' '.repeat(SIGNS[level].length + 13);
    return [line, `${indent}why: ${why}`, `${indent}do:  ${advice}`];
  });
  const { problem, warning } = countLevels(findings);
  return [...lines, '', `${problem} problems, ${warning} warnings, ${findings.length} looked at`].join('\n');
}

/** How many findings there are of each level. */
export function countLevels(findings: readonly Finding[]): Record<Finding['level'], number> {
  const counts = { ok: 0, warning: 0, problem: 0 };
  for (const { level } of findings) counts[level] += 1;
  return counts;
}
