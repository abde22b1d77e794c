import type { LimiterOptions } from '../limiter.ts';
import { World } from '../testing-limiter.ts';
import { compileEnvoyConfig } from './compile-envoy-config.ts';
import type { EnvoyEntry } from './envoy-config.ts';
import type { EnvoyDescriptorDefinition } from './envoy-definition.ts';
import { type EnvoyAnswer, ShouldLimit, type ShouldLimitOptions } from './should-limit.ts';
import type { EnvoyDescriptor } from './should-limit-request.ts';

/** Entries from `key=value` texts. */
export function entriesOf(...pairs: readonly string[]): EnvoyEntry[] {
  return pairs.map((pair) => {
    const [key = '', value = ''] = pair.split('=');
    return { key, value };
  });
}

/** A descriptor of one entry with one hit, but for what is given. */
export function asking(pair: string, change: Partial<EnvoyDescriptor> = {}): EnvoyDescriptor {
  return { entries: entriesOf(pair), hits: 1, givesBack: false, override: undefined, ...change };
}

/** What decides for Envoy, over reference models whose clock stands still. The domain is `edge`. */
export class EnvoyWorld extends World {
  readonly #decider: ShouldLimit;

  constructor(
    descriptors: readonly EnvoyDescriptorDefinition[],
    options: Partial<ShouldLimitOptions> & { readonly limiterOptions?: Partial<LimiterOptions> } = {},
  ) {
    super();
    const config = compileEnvoyConfig([{ domain: 'edge', descriptors }], 'FAIL_LOCAL');
    const { limiterOptions, ...others } = options;
    this.#decider = new ShouldLimit({
      config: () => config,
      rules: () => this.rules,
      limiter: this.limiter(limiterOptions),
      clock: () => this.now,
      ...others,
    });
  }

  ask(...descriptors: readonly EnvoyDescriptor[]): Promise<EnvoyAnswer> {
    return this.#decider.decide({ domain: 'edge', descriptors });
  }

  /** Hits left to each, which takes none. */
  async left(...pairs: readonly string[]): Promise<number[]> {
    const { statuses } = await this.ask(...pairs.map((pair) => asking(pair, { hits: 0 })));
    return statuses.map(({ remaining }) => remaining);
  }
}
