import type { LimitDefinition } from '../domain/limit.ts';
import type { RuleDefinition } from '../domain/rule.ts';
import type { WrittenLimit, WrittenRule } from './rule-schema.ts';
import { formatWindow, parseWindow } from './window-text.ts';

/** Reads a rule as it is written, with the file's defaults. Its bounds are still to be checked. */
export function readWrittenRule(written: WrittenRule): RuleDefinition {
  return {
    name: written.name,
    limits: (written.limits ?? []).map(readLimit),
    mode: written.mode ?? 'ENFORCED',
    bypassRoles: written.bypass_roles ?? ['admin'],
    onStoreFailure: written.on_store_failure ?? 'FAIL_OPEN',
    overrides: (written.overrides ?? []).map(({ identifier, mode, limits }) => ({
      identifier,
      mode: mode ?? 'ENFORCED',
      limits: (limits ?? []).map(readLimit),
    })),
  };
}

/** As much of a rule whose form is wrong as can be checked for its bounds all the same. */
export function salvageRule(written: unknown): WrittenRule {
  const rule = recordOf(written);
  return {
    ...scalarsOf(rule),
    limits: listOf(rule['limits']).map(scalarsOf),
    bypass_roles: listOf(rule['bypass_roles']).map((role) => String(scalarOf(role))),
    overrides: listOf(rule['overrides']).map((each) => {
      const { identifier, limits } = recordOf(each);
      return {
        ...scalarsOf(each),
        identifier: String(scalarOf(identifier)),
        limits: listOf(limits).map(scalarsOf),
      };
    }),
  } as WrittenRule;
}

/** Writes a rule so that {@link readWrittenRule} has the same again, defaults written out. */
export function writeRule(definition: Required<RuleDefinition>): WrittenRule {
  return {
    name: definition.name,
    limits: definition.limits.map(writeLimit),
    mode: definition.mode,
    bypass_roles: [...definition.bypassRoles],
    on_store_failure: definition.onStoreFailure,
    overrides: definition.overrides.map(({ identifier, mode = 'ENFORCED', limits = [] }) => ({
      identifier,
      mode,
      limits: limits.map(writeLimit),
    })),
  };
}

function readLimit({ window, ...rest }: WrittenLimit): LimitDefinition {
  return { ...rest, windowMicros: parseWindow(window) } as LimitDefinition;
}

function writeLimit({ name, algorithm, limit, windowMicros, burst, shadow }: LimitDefinition): WrittenLimit {
  const written: WrittenLimit = { limit, window: formatWindow(windowMicros) };
  if (name !== undefined && name !== '') written.name = name;
  if (algorithm !== undefined) written.algorithm = algorithm;
  if (algorithm === 'TOKEN_BUCKET' && burst !== undefined) written.burst = burst;
  if (shadow === true) written.shadow = shadow;
  return written;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The fields of a record, each as something that can be compared and made a text of. */
function scalarsOf(record: unknown): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(recordOf(record)).map(([name, value]) => [name, scalarOf(value)]));
}

function scalarOf(value: unknown): unknown {
  return typeof value === 'object' ? '' : value;
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
