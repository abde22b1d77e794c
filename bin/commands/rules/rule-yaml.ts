import { isMap, isSeq, parseDocument, stringify, visit } from 'yaml';
import type { Rule as RuleMessage } from '../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { defineRule, type Rule } from '../../../services/ratelimit/domain/rule.ts';
import { ruleDefinition } from '../../../services/ratelimit/rpc/rate-limit-admin/rule-message.ts';
import type { WrittenRule } from '../../../services/ratelimit/storage/rule-schema.ts';
import { writeRule } from '../../../services/ratelimit/storage/written-rule.ts';

/** A rule in force as the domain has it: equal content, equal version. */
export function ruleOf(message: RuleMessage): Rule {
  return defineRule(ruleDefinition(message));
}

/** A rule as an entry of a rules file, all but empty lists written out. */
export function writtenRule(rule: Rule): WrittenRule {
  const { name, overrides, limits, ...rest } = writeRule(rule.definition);
  return {
    name,
    ...(limits?.length ? { limits } : {}),
    ...rest,
    ...(overrides?.length ? { overrides } : {}),
  };
}

/** {@link writtenRule} as YAML: a limit or an override a line. Ends with a line break. */
export function ruleYaml(rule: Rule): string {
  const document = parseDocument(stringify(writtenRule(rule)));
  visit(document, {
    Map: (_, node, path) => {
      if (path.some(isSeq)) node.flow = true;
    },
    Seq: (_, node) => {
      if (!node.items.some(isMap)) node.flow = true;
    },
  });
  return document.toString({ lineWidth: 0 });
}
