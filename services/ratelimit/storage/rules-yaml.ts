import { readYamlDocument, type YamlProblem } from '../../../runtime/yaml-document.ts';
import type { RuleDefinition } from '../domain/rule.ts';
import { FALLBACK_RULE } from '../domain/rule-set.ts';
import { readRules } from './read-rules.ts';

/** What became of a rules file. It can pass between threads. */
export interface RulesYaml {
  /** Within their bounds, complete; with `api_default`, no name twice. None where there are problems. */
  readonly definitions: readonly RuleDefinition[];
  /** All that is wrong, as `<line>:<column> <field> <what>`, in the order of the file; at most 50. */
  readonly problems: readonly string[];
}

/** Reads a rules file: YAML 1.2 (or JSON), one document, checked whole. */
export function readRulesYaml(text: string): RulesYaml {
  const { value, problems } = readYamlDocument(text, (data) => {
    const { rules, problems: found } = readRules(data);
    return {
      value: rules.map(({ definition }) => definition),
      problems: hasFallback(data) ? found : [...found, NO_FALLBACK],
    };
  });
  return { definitions: value ?? [], problems };
}

const NO_FALLBACK: YamlProblem = {
  path: ['rules'],
  description: `has no ${FALLBACK_RULE}, which is for all endpoints that have no rule of their own`,
};

function hasFallback(data: unknown): boolean {
  const rules = (data as { rules?: unknown } | null)?.rules;
  // Where the rules are no list, that is what is wrong.
  if (!Array.isArray(rules)) return true;
  return rules.some((rule: { name?: unknown } | null) => rule?.name === FALLBACK_RULE);
}
