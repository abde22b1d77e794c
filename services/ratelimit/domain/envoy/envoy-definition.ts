/** What one configuration file says, with its defaults. It can pass between threads. */
export interface EnvoyDomainDefinition {
  readonly domain: string;
  readonly descriptors: readonly EnvoyDescriptorDefinition[];
}

/** A place that an entry of a descriptor can match, and what may follow it. */
export interface EnvoyDescriptorDefinition {
  readonly key: string;
  /** '' for every value; with a `*` at its end, for those that begin so. */
  readonly value: string;
  readonly rateLimit: EnvoyLimitDefinition | undefined;
  readonly shadowMode: boolean;
  readonly quotaMode: boolean;
  /** Statistics tell the values apart that the entries of a request have. */
  readonly detailedMetric: boolean;
  /** The same for this entry's value alone. */
  readonly valueToMetric: boolean;
  /** All values that match are counted together. */
  readonly shareThreshold: boolean;
  readonly descriptors: readonly EnvoyDescriptorDefinition[];
}

/** A limit as it is written: of a rate, none, or a rule's. */
export interface EnvoyLimitDefinition {
  /** An EnvoyUnit in upper case; '' where there is none. */
  readonly unit: string;
  /** undefined where there is none, which means 0. */
  readonly requestsPerUnit: number | undefined;
  readonly unlimited: boolean;
  /** '' where there is none. */
  readonly rule: string;
  /** Undefined where there is none. */
  readonly identifier: string | undefined;
  readonly name: string;
  /** Names of limits. */
  readonly replaces: readonly string[];
}
