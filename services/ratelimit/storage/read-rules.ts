import type { z } from 'zod';
import type { YamlProblem } from '../../../runtime/yaml-document.ts';
import { InvalidRule } from '../domain/errors.ts';
import { defineRule, type Rule } from '../domain/rule.ts';
import { ruleSchema, rulesShellSchema } from './rule-schema.ts';
import { readWrittenRule, salvageRule } from './written-rule.ts';

export interface RulesReading {
  readonly rules: readonly Rule[];
  /** All that is wrong. The rules are good for nothing unless it is empty. */
  readonly problems: readonly YamlProblem[];
}

/**
 * Reads rules out of what was parsed from YAML or JSON: form, bounds, and names that are there twice.
 *
 * @param known finds a rule that was read before by how it is written, so that it need not be read again
 */
export function readRules(data: unknown, known?: (written: unknown) => Rule | undefined): RulesReading {
  const shell = rulesShellSchema.safeParse(data);
  const problems = shell.success ? [] : problemsOf(shell.error, []);
  const written = (data as { rules?: unknown } | null)?.rules;
  const rules: Rule[] = [];
  const names = new Set<unknown>();
  for (const [index, each] of (Array.isArray(written) ? written : []).entries()) {
    const path = ['rules', index];
    const name: unknown = each?.name;
    if (name !== undefined && names.has(name)) {
      problems.push({ path: [...path, 'name'], description: 'is there twice' });
    }
    names.add(name);
    const reading = known?.(each) ?? readRule(each);
    if (!Array.isArray(reading)) rules.push(reading as Rule);
    else problems.push(...reading.map((problem) => ({ ...problem, path: [...path, ...problem.path] })));
  }
  return { rules, problems };
}

/** The rule, or all that is wrong with it. */
function readRule(written: unknown): Rule | YamlProblem[] {
  const parsed = ruleSchema.safeParse(written);
  const ofForm = parsed.success ? [] : problemsOf(parsed.error, []);
  try {
    const rule = defineRule(readWrittenRule(parsed.success ? parsed.data : salvageRule(written)));
    return parsed.success ? rule : ofForm;
  } catch (error) {
    if (!(error instanceof InvalidRule)) throw error;
    const ofBounds = error.faults.map(({ field, description }) => ({ path: pathOf(field), description }));
    // Where the form is wrong the bounds say nothing of what was written.
    const told = ({ path }: YamlProblem) =>
      ofForm.some((each) => isWithin(path, each.path) || isWithin(each.path, path));
    return [...ofForm, ...ofBounds.filter((each) => !told(each))];
  }
}

function isWithin(path: readonly PropertyKey[], outer: readonly PropertyKey[]): boolean {
  return outer.every((step, index) => step === path[index]);
}

function problemsOf(error: z.ZodError, prefix: readonly PropertyKey[]): YamlProblem[] {
  return error.issues.flatMap((issue) => {
    const path = [...prefix, ...issue.path];
    if (issue.code !== 'unrecognized_keys') return [{ path, description: descriptionOf(issue.message) }];
    return issue.keys.map((key) => ({ path: [...path, key], description: 'is no known field' }));
  });
}

function descriptionOf(message: string): string {
  if (message.endsWith(', received undefined')) return 'must be set';
  return message.replace(/^Invalid (?:input|option): expected (?:one of )?/, (start) =>
    start.endsWith('one of ') ? 'must be one of ' : 'must be of the type ',
  );
}

/** The steps of a field as the domain names it. */
function pathOf(field: string): PropertyKey[] {
  return [...field.matchAll(/\[(\d+)\]|[^.[\]]+/g)].map(([name, index]) =>
    index === undefined ? name : Number(index),
  );
}
