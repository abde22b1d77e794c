import { InvalidFile } from '../../../runtime/invalid-file.ts';
import { textOf } from '../../../runtime/load-file.ts';
import { readYamlDocument } from '../../../runtime/yaml-document.ts';
import type { Rule } from '../../../services/ratelimit/domain/rule.ts';
import { readRules } from '../../../services/ratelimit/storage/read-rules.ts';
import { loadRuleFile } from '../../../services/ratelimit/storage/rule-file.ts';

/**
 * Reads a rules file. Unlike the service's own it may leave `api_default` out: what it lacks stays as it is.
 *
 * @throws InvalidFile with all that is wrong, by line and column
 */
export async function readRulesFile(path: string): Promise<readonly Rule[]> {
  const text = textOf(path, await loadRuleFile(path));
  const { value, problems } = readYamlDocument(text, (data) => {
    const { rules, problems } = readRules(data);
    return { value: rules, problems };
  });
  if (value === undefined) throw placed(path, problems);
  return value;
}

/**
 * Reads one rule, an entry of a rules file by itself.
 *
 * @param path for the text of problems only
 * @throws InvalidFile with all that is wrong, by line and column
 */
export function readRuleText(path: string, text: string, name: string): Rule {
  const { value, problems } = readYamlDocument(text, (data) => {
    const { rules, problems: found } = readRules({ rules: [data] });
    const within = found.map(({ path: steps, description }) => ({ path: steps.slice(2), description }));
    const rule = rules[0];
    const isRenamed = rule !== undefined && rule.name !== name;
    const renamed = { path: ['name'], description: `must stay ${name}: a new rule comes by rules apply` };
    return { value: rule, problems: isRenamed ? [...within, renamed] : within };
  });
  if (value === undefined) throw placed(path, problems);
  return value;
}

function placed(path: string, problems: readonly string[]): InvalidFile {
  return new InvalidFile(problems.map((each) => (/^\d/.test(each) ? `${path}:${each}` : each)));
}
