/** How bad something is: a problem keeps something from working or from being safe, a warning may. */
export type Level = 'ok' | 'warning' | 'problem';

/** What was looked at. */
export type Area = 'machine' | 'settings' | 'identity' | 'ratelimit' | 'postgresql' | 'redis';

/** One thing that the doctor looked at. No text of it holds a secret. */
export interface Finding {
  readonly level: Level;
  readonly area: Area;
  /** What is the case. */
  readonly what: string;
  /** What comes of it; empty where it is well. */
  readonly why: string;
  /** What to do; empty where it is well. */
  readonly advice: string;
}

/** What was found out about one area. */
export class Findings {
  readonly all: Finding[] = [];
  readonly #area: Area;

  constructor(area: Area) {
    this.#area = area;
  }

  ok(what: string): void {
    this.all.push({ level: 'ok', area: this.#area, what, why: '', advice: '' });
  }

  add(level: Exclude<Level, 'ok'>, what: string, why: string, advice: string): void {
    this.all.push({ level, area: this.#area, what, why, advice });
  }
}
