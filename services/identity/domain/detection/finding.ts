import type { Severity } from '../security-event.ts';
import { type DetectionRule, severityOf } from './rules.ts';

/** What a rule has found: the start of an event. */
export interface Finding {
  readonly rule: DetectionRule;
  readonly severity: Severity;
  /** One sentence for a person. */
  readonly description: string;
  /**
   * Numbers and country codes only: it stays when what tells about the person is erased (see
   * {@link SecurityEvents.erasePersonal}), so it never holds an address, coordinates or a device. A country is shared by so
   * many that it singles nobody out once the account is gone.
   */
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** A finding with the severity of its rule. */
export function finding(rule: DetectionRule, description: string, metadata: Finding['metadata']): Finding {
  return { rule, severity: severityOf(rule), description, metadata };
}
