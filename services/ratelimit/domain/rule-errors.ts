/** No rule in force has the name. */
export class RuleNotFound extends Error {
  readonly rule: string;

  constructor(rule: string) {
    super(`no rule ${JSON.stringify(rule)}`);
    this.name = 'RuleNotFound';
    this.rule = rule;
  }
}

/** A rule in force has the name already. */
export class RuleAlreadyExists extends Error {
  readonly rule: string;

  constructor(rule: string) {
    super(`there is a rule ${JSON.stringify(rule)} already`);
    this.name = 'RuleAlreadyExists';
    this.rule = rule;
  }
}

/** The rule is not (any more) the one that was to be changed: its etag is another. Nothing was changed. */
export class RuleEtagMismatch extends Error {
  readonly rule: string;
  /** Of the rule in force. */
  readonly etag: string;

  constructor(rule: string, etag: string) {
    super(`rule ${JSON.stringify(rule)} has the etag ${etag}`);
    this.name = 'RuleEtagMismatch';
    this.rule = rule;
    this.etag = etag;
  }
}

/** The rule stands in the file, or is built in, and nowhere else, so that it can't be taken away. */
export class RuleNotLive extends Error {
  readonly rule: string;

  constructor(rule: string) {
    super(`rule ${JSON.stringify(rule)} is no live rule`);
    this.name = 'RuleNotLive';
    this.rule = rule;
  }
}

/** With the change the live rules would be more than is kept. Nothing was changed. */
export class LiveRulesFull extends Error {
  /** @param reason which bound it is, for example `more than 1000 live rules` */
  constructor(reason: string) {
    super(reason);
    this.name = 'LiveRulesFull';
  }
}
