import type { EndpointOf } from './endpoint-map.ts';
import type { LineReader } from './logged-request.ts';
import { MAX_LINE_CHARACTERS } from './read-lines.ts';
import type { AskedRequest } from './replay.ts';
import type { LeftOutLine, LogReport } from './simulation-report.ts';
import { TimeOrder } from './time-order.ts';

export interface LogIntakeOptions {
  readonly readerFor: (firstLine: string) => LineReader;
  readonly endpointOf: EndpointOf;
  readonly reorderMicros: number;
  readonly durationMicros?: number | undefined;
}

/** Lines that are told one by one. */
const SHOWN = 5;

/** Makes requests in order by time out of the lines of a log, and counts what it leaves out. */
export class LogIntake {
  readonly #options: LogIntakeOptions;
  readonly #order: TimeOrder<AskedRequest>;
  #reader: LineReader | undefined;
  #lines = 0;
  #requests = 0;
  #unreadable = 0;
  readonly #firstUnreadable: LeftOutLine[] = [];
  #late = 0;
  readonly #firstLate: number[] = [];
  #withoutIdentifier = 0;
  #withoutEndpoint = 0;

  constructor(options: LogIntakeOptions) {
    this.#options = options;
    this.#order = new TimeOrder(options.reorderMicros);
  }

  get figures(): Omit<LogReport, 'withoutDuration'> {
    return {
      lines: this.#lines,
      requests: this.#requests,
      unreadable: { count: this.#unreadable, first: this.#firstUnreadable },
      late: { count: this.#late, firstLines: this.#firstLate },
      sorted: this.#order.sorted,
      withoutIdentifier: this.#withoutIdentifier,
      withoutEndpoint: this.#withoutEndpoint,
    };
  }

  /** Reads one line. */
  add(raw: string): void {
    this.#lines += 1;
    const text = this.#lines === 1 ? raw.replace(/^\uFEFF/, '') : raw;
    const line = text.endsWith('\r') ? text.slice(0, -1) : text;
    if (line === '') return;
    if (line.length > MAX_LINE_CHARACTERS) {
      this.#refuse(`is longer than ${MAX_LINE_CHARACTERS} characters`);
      return;
    }
    this.#reader ??= this.#options.readerFor(line);
    const request = this.#reader(line);
    if (typeof request === 'string') {
      this.#refuse(request);
      return;
    }
    const { timeMicros, identifier, cost, roles } = request;
    const endpoint = this.#options.endpointOf(request.method, request.path);
    if (endpoint === undefined) this.#withoutEndpoint += 1;
    else if (identifier === undefined) this.#withoutIdentifier += 1;
    else {
      const durationMicros = request.durationMicros ?? this.#options.durationMicros;
      const inTime = this.#order.add({ timeMicros, endpoint, identifier, cost, roles, durationMicros });
      if (inTime) this.#requests += 1;
      else this.#leaveOutLate();
    }
  }

  /** Takes the next request that is due; undefined where there is none yet. */
  next(): AskedRequest | undefined {
    return this.#order.next();
  }

  /** Takes the next of those that are left, after the last line. */
  nextOfRest(): AskedRequest | undefined {
    return this.#order.nextOfRest();
  }

  #refuse(reason: string): void {
    this.#unreadable += 1;
    if (this.#firstUnreadable.length < SHOWN) this.#firstUnreadable.push({ line: this.#lines, reason });
  }

  #leaveOutLate(): void {
    this.#late += 1;
    if (this.#firstLate.length < SHOWN) this.#firstLate.push(this.#lines);
  }
}
