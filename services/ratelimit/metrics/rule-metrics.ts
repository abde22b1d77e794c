import { Counter } from 'prom-client';
import type { Metrics } from '../../../runtime/metrics/metrics.ts';
import { tell } from '../../../runtime/metrics/told-metric.ts';
import type { RuleBook, RuleOrigin } from '../domain/rule-book.ts';

const ORIGINS: readonly RuleOrigin[] = ['LIVE', 'FILE', 'BUILT_IN'];

/** Counts changes of the rules file that could not be used. */
export function rulesLoadFailures({ registry }: Metrics): Counter {
  return new Counter({
    name: 'optix_ratelimit_rules_load_failures_total',
    help: 'Times that a rules file could not be used after a change.',
    registers: [registry],
  });
}

/** Tells how many rules are in force, by where they stand. */
export function tellRules(metrics: Metrics, rules: Pick<RuleBook, 'list'>): void {
  tell(metrics, {
    name: 'optix_ratelimit_rules',
    help: 'Rules in force.',
    type: 'gauge',
    samples: () => {
      const placed = rules.list();
      return ORIGINS.map((origin) => ({
        labels: { origin: origin.toLowerCase() },
        value: placed.filter((each) => each.origin === origin).length,
      }));
    },
  });
}
