/** A check that asks for more units than one of its limits ever has. Nothing was counted. */
export class CostExceedsLimit extends Error {
  /** The field of the request, for example `cost` or `checks[3].also[0].cost`. */
  readonly field: string;
  /** Units asked for. */
  readonly cost: number;
  /** The most units at once, of the limit. */
  readonly limit: number;

  constructor(field: string, cost: number, limit: number) {
    super(`${field} ${cost} is greater than the limit ${limit}`);
    this.name = 'CostExceedsLimit';
    this.field = field;
    this.cost = cost;
    this.limit = limit;
  }
}

/** A decision over more limits than one script may hold Redis for. Nothing was counted. */
export class TooManyTerms extends Error {
  readonly terms: number;
  readonly most: number;

  constructor(terms: number, most: number) {
    super(`${terms} limits in one decision are more than ${most}`);
    this.name = 'TooManyTerms';
    this.terms = terms;
    this.most = most;
  }
}

/** A text that no decision had as its receipt. */
export class InvalidReceipt extends Error {
  constructor() {
    super('not a receipt');
    this.name = 'InvalidReceipt';
  }
}

/** The lease has ended, or was given back. */
export class LeaseEnded extends Error {
  constructor() {
    super('the lease has ended');
    this.name = 'LeaseEnded';
  }
}

/** The store can't be asked now; nothing was changed, as far as is known. */
export class StoreAway extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'StoreAway';
  }
}

/** Envoy asks, and no configuration says what its limits are. */
export class EnvoyNotConfigured extends Error {
  constructor() {
    super('there is no configuration of Envoy’s limits');
    this.name = 'EnvoyNotConfigured';
  }
}

/** What is wrong with one field of a rule. */
export interface RuleFault {
  /** As the rules file and the API name it, for example `limits[1].window`. */
  readonly field: string;
  readonly description: string;
}

/** A rule, or a set of rules, that breaks its bounds. */
export class InvalidRule extends Error {
  /** Name of the rule, as given. */
  readonly rule: string;
  /** All that is wrong: at least one fault. */
  readonly faults: readonly RuleFault[];

  constructor(rule: string, faults: readonly RuleFault[]) {
    const texts = faults.map(({ field, description }) => `${field} ${description}`);
    super(`rule ${JSON.stringify(rule)}: ${texts.join('; ')}`);
    this.name = 'InvalidRule';
    this.rule = rule;
    this.faults = faults;
  }
}
