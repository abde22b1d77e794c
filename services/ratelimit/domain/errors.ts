/** A check that asks for more units than its rule's limit, and so could never be allowed. Nothing was counted. */
export class CostExceedsLimit extends Error {
  /** Units asked for. */
  readonly cost: number;
  /** The rule's limit, in units. */
  readonly limit: number;

  constructor(cost: number, limit: number) {
    super(`cost ${cost} is greater than the limit ${limit}`);
    this.name = 'CostExceedsLimit';
    this.cost = cost;
    this.limit = limit;
  }
}

/** A rule, or a set of rules, that breaks its bounds. */
export class InvalidRule extends Error {
  /** Name of the rule, as given. */
  readonly rule: string;
  /** The field that is wrong, for example `windowMicros`. */
  readonly field: string;

  constructor(rule: string, field: string, description: string) {
    super(`rule ${JSON.stringify(rule)}: ${field} ${description}`);
    this.name = 'InvalidRule';
    this.rule = rule;
    this.field = field;
  }
}
