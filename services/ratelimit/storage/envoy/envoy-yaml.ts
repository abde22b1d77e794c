import { parseDocument } from 'yaml';
import { z } from 'zod';
import { readYaml } from '../../../../runtime/callers/yaml-text.ts';
import { DefinitionCheck } from '../../domain/envoy/definition-check.ts';
import type { EnvoyDomainDefinition } from '../../domain/envoy/envoy-definition.ts';
import { envoyFileSchema } from './envoy-schema.ts';
import { needsTexts, readDomain, withTexts } from './written-descriptors.ts';

/** The content of a configuration file. It can pass between threads. */
export interface EnvoyText {
  /** For the text of problems. */
  readonly path: string;
  readonly text: string;
}

/** What became of configuration files. It can pass between threads. */
export interface EnvoyYaml {
  /** One a file, without faults. Of no use where there are problems. */
  readonly definitions: readonly EnvoyDomainDefinition[];
  /** All that is wrong, as `<file>:<line>:<column> <field> <what>`, in the order of the files; at most 100. */
  readonly problems: readonly string[];
}

type Path = readonly PropertyKey[];

/** More would help nobody. */
const MAX_PROBLEMS = 100;
/** As readYamlDocument() has it. */
const MAX_ALIASES = 100;

/** Reads configuration files that are to be in force together: YAML 1.1 (or JSON), as the reference implementation reads it, one document each. */
export function readEnvoyYaml(files: readonly EnvoyText[], mergeDomains: boolean): EnvoyYaml {
  const check = new DefinitionCheck(mergeDomains);
  const definitions: EnvoyDomainDefinition[] = [];
  const problems: string[] = [];
  for (const { path, text } of files) {
    const { value, problems: found } = readYaml(text, schemaOf(path, text, check), () => [], {
      version: '1.1',
    });
    if (value !== undefined) definitions.push(value);
    // The last may say only that there are more.
    problems.push(...found.map((each) => (/^\d/.test(each) ? `${path}:${each}` : `${path} ${each}`)));
  }
  const more = problems.length - MAX_PROBLEMS;
  if (more > 0) problems.splice(MAX_PROBLEMS, more, `and ${more} more problems`);
  return { definitions, problems };
}

/** Form and bounds in one, so that all that is wrong is told at once. */
function schemaOf(path: string, text: string, check: DefinitionCheck) {
  return z.unknown().transform((data, context) => {
    const written = needsTexts(data) ? withTexts(data, textsOf(text)) : data;
    const issues = envoyFileSchema.safeParse(written).error?.issues ?? [];
    for (const issue of issues) context.issues.push({ ...issue, input: written } as z.core.$ZodRawIssue);
    const told = toldBy(issues);
    const definition = readDomain(written);
    for (const { path: at, description: message } of check.faultsOf(definition, path)) {
      // Where the form is wrong the bounds say nothing of what was written.
      if (told(at)) continue;
      context.issues.push({ code: 'custom', path: [...at], message, input: written });
    }
    return definition;
  });
}

/** The same document with every scalar the text that stands there. */
function textsOf(text: string): unknown {
  const document = parseDocument(text, { version: '1.2', schema: 'failsafe', merge: true, stringKeys: true });
  return document.toJS({ maxAliasCount: MAX_ALIASES });
}

/** Tells whether an issue is about a place, what it is in, or what is in it. By sets: a large file can have very many. */
function toldBy(issues: readonly z.core.$ZodIssue[]): (path: Path) => boolean {
  const places = issues.flatMap(placesOf);
  const told = new Set(places.map(textOf));
  const around = new Set(places.flatMap(prefixesOf));
  return (path) => around.has(textOf(path)) || prefixesOf(path).some((prefix) => told.has(prefix));
}

function placesOf(issue: z.core.$ZodIssue): readonly Path[] {
  const { path } = issue;
  return issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...path, key]) : [path];
}

/** Of a path and all that it is in. */
function prefixesOf(path: Path): readonly string[] {
  return Array.from({ length: path.length + 1 }, (_, length) => textOf(path.slice(0, length)));
}

function textOf(path: Path): string {
  return JSON.stringify(path);
}
