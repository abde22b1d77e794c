import type { Violations } from '../../../../runtime/validation.ts';
import { RULE_NAME } from '../../domain/rule.ts';

/** Bounds of a rule's name. */
export function ruleNameBounds(field: string, name: string, violations: Violations): void {
  if (!RULE_NAME.test(name)) violations.add(field, 'must be 1 to 128 characters of A-Z a-z 0-9 _ . : / -');
}
