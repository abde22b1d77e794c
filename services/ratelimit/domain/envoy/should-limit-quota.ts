import type { EnvoyEntry } from './envoy-config.ts';
import type { DescriptorPlan } from './should-limit-plan.ts';

/**
 * Whether all quotas of a request are used up: there are limits in quota mode, and in each group of them one is over. As
 * in the reference implementation a limit without an end is no quota, and one in shadow mode is a quota that is never
 * used up.
 *
 * @param over by place of the plan
 */
export function quotaIsOver(plans: readonly DescriptorPlan[], over: readonly boolean[]): boolean {
  const groups = new Map<string, boolean>();
  for (const [at, { match, descriptor }] of plans.entries()) {
    if (!match?.limit.quotaMode || match.limit.quota.kind === 'UNLIMITED') continue;
    const group = groupOf(descriptor.entries);
    groups.set(group, (groups.get(group) ?? false) || over[at] === true);
  }
  return groups.size > 0 && [...groups.values()].every((isOver) => isOver);
}

/** What a quota is for: several descriptors of one backend and model are one, others are each their own. */
function groupOf(entries: readonly EnvoyEntry[]): string {
  const last = (name: string) => entries.findLast(({ key }) => key === name)?.value ?? '';
  const [backend, model] = [last('backend_name'), last('model_name_override')];
  const named = backend !== '' || model !== '';
  return JSON.stringify(named ? [backend, model] : entries.map(({ key, value }) => [key, value]));
}
