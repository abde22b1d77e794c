import type { z } from 'zod';
import { readYamlDocument, type YamlOptions, type YamlProblem, type YamlReading } from '../yaml-document.ts';

/**
 * Reads YAML (or JSON), one document, checked whole: its form by `schema`, then the rest by `check`. Problems never
 * repeat a value.
 */
export function readYaml<T>(
  text: string,
  schema: z.ZodType<T>,
  check: (value: T) => readonly YamlProblem[],
  options?: YamlOptions,
): YamlReading<T> {
  const readData = (data: unknown) => {
    const parsed = schema.safeParse(data);
    return parsed.success
      ? { value: parsed.data, problems: check(parsed.data) }
      : { value: undefined, problems: parsed.error.issues.flatMap(problemsOf) };
  };
  return readYamlDocument(text, readData, options);
}

function problemsOf(issue: z.core.$ZodIssue): readonly YamlProblem[] {
  const { path } = issue;
  if (issue.code !== 'unrecognized_keys') return [{ path, description: descriptionOf(issue.message) }];
  return issue.keys.map((key) => ({ path: [...path, key], description: 'is no known field' }));
}

function descriptionOf(message: string): string {
  if (message.endsWith(', received undefined')) return 'must be set';
  return message
    .replace(/^Invalid (?:input|option): expected (?:one of )?/, (start) =>
      start.endsWith('one of ') ? 'must be one of ' : 'must be of the type ',
    )
    .replace(/, received \w+$/, '');
}
