import {
  type Rule as RuleMessage,
  RuleOrigin,
} from '../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import type { Rule } from '../../../services/ratelimit/domain/rule.ts';
import type { WrittenRule } from '../../../services/ratelimit/storage/rule-schema.ts';
import { unifiedDiff } from '../../output/unified-diff.ts';
import { ruleOf, ruleYaml, writtenRule } from './rule-yaml.ts';

/** What has to be done to one rule so that a file holds. */
export type RuleChange =
  | { readonly kind: 'create'; readonly after: Rule }
  | { readonly kind: 'update'; readonly before: Rule; readonly etag: string; readonly after: Rule }
  /** Whatever stands under the live rule holds again: nobody can see it before. */
  | { readonly kind: 'delete'; readonly before: Rule; readonly etag: string };

/** What scripts are told of it. */
export interface RuleChangeReport {
  readonly rule: string;
  readonly change: RuleChange['kind'];
  /** Null where there is no such rule before, or after. */
  readonly before: WrittenRule | null;
  readonly after: WrittenRule | null;
}

/**
 * What has to be changed so that the rules of a file hold, by name. Rules that the file lacks stay, but live ones with
 * `prune`.
 */
export function planChanges(
  inForce: readonly RuleMessage[],
  wanted: readonly Rule[],
  { prune }: { readonly prune: boolean },
): RuleChange[] {
  const there = new Map(inForce.map((message) => [message.name, message]));
  const changes: RuleChange[] = [];
  for (const after of wanted) {
    const message = there.get(after.name);
    there.delete(after.name);
    if (message === undefined) changes.push({ kind: 'create', after });
    else {
      const before = ruleOf(message);
      if (before.version !== after.version) {
        changes.push({ kind: 'update', before, etag: message.etag, after });
      }
    }
  }
  for (const message of there.values()) {
    if (!prune || message.origin !== RuleOrigin.LIVE) continue;
    changes.push({ kind: 'delete', before: ruleOf(message), etag: message.etag });
  }
  return changes.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

export function nameOf(change: RuleChange): string {
  return change.kind === 'delete' ? change.before.name : change.after.name;
}

/** The changes in the unified format, as between two directories of rules. */
export function changesDiff(changes: readonly RuleChange[]): string {
  return changes
    .map((change) => {
      const name = nameOf(change);
      const before = change.kind === 'create' ? '' : ruleYaml(change.before);
      const after = change.kind === 'delete' ? '' : ruleYaml(change.after);
      const from = change.kind === 'create' ? '/dev/null' : `in-force/${name}`;
      const to = change.kind === 'delete' ? '/dev/null' : `file/${name}`;
      return `--- ${from}\n+++ ${to}\n${unifiedDiff(before, after)}`;
    })
    .join('\n');
}

export function changeReport(change: RuleChange): RuleChangeReport {
  return {
    rule: nameOf(change),
    change: change.kind,
    before: change.kind === 'create' ? null : writtenRule(change.before),
    after: change.kind === 'delete' ? null : writtenRule(change.after),
  };
}
