import type { DescriptorPlan } from './should-limit-plan.ts';

/** Entries that tell what a quota is for: several descriptors of one backend and model are one quota. */
const GROUP_KEYS: readonly string[] = ['backend_name', 'model_name_override'];

/**
 * Whether all quotas of a request are used up: there are limits in quota mode, and in each group of them one is over.
 *
 * @param over by place of the plan
 */
export function quotaIsOver(plans: readonly DescriptorPlan[], over: readonly boolean[]): boolean {
  const groups = new Map<string, boolean>();
  for (const [at, plan] of plans.entries()) {
    if (plan.mode !== 'QUOTA') continue;
    const group = groupOf(plan);
    groups.set(group, (groups.get(group) ?? false) || over[at] === true);
  }
  return groups.size > 0 && [...groups.values()].every((isOver) => isOver);
}

function groupOf({ descriptor: { entries } }: DescriptorPlan): string {
  const naming = entries.filter(({ key }) => GROUP_KEYS.includes(key));
  const group = naming.length > 0 ? naming : entries;
  return JSON.stringify(group.map(({ key, value }) => [key, value]));
}
