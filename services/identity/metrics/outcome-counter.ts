import { Counter } from 'prom-client';
import type { Metrics } from '../../../runtime/metrics/metrics.ts';

/** Counts answers by what they come to, each once. The outcomes are few and known: all of them are told from the start. */
export class OutcomeCounter<Outcome extends string> {
  readonly #counter: Counter<'outcome'>;
  readonly #outcomeOf: (error: unknown, signal: AbortSignal) => Outcome;

  /** @param outcomeOf of what was thrown, where the call's signal is this */
  constructor(
    { registry }: Metrics,
    {
      name,
      help,
      outcomes,
      outcomeOf,
    }: {
      readonly name: string;
      readonly help: string;
      readonly outcomes: readonly Outcome[];
      readonly outcomeOf: (error: unknown, signal: AbortSignal) => Outcome;
    },
  ) {
    this.#counter = new Counter({ name, help, labelNames: ['outcome'], registers: [registry] });
    for (const outcome of outcomes) this.#counter.inc({ outcome }, 0);
    this.#outcomeOf = outcomeOf;
  }

  /**
   * Answers, and counts what came of it. What was done before its caller went away is counted as done.
   *
   * @param outcomeOf of an answer
   */
  async count<T>(
    signal: AbortSignal,
    answer: () => Promise<T>,
    outcomeOf: (answered: T) => Outcome,
  ): Promise<T> {
    try {
      const answered = await answer();
      this.#counter.inc({ outcome: outcomeOf(answered) });
      return answered;
    } catch (error) {
      this.#counter.inc({ outcome: this.#outcomeOf(error, signal) });
      throw error;
    }
  }
}
