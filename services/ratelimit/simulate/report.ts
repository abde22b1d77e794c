import type { Limit } from '../domain/limit.ts';
import { formatWindow } from '../storage/window-text.ts';
import type { EndpointTally } from './endpoint-tally.ts';
import type { LimitTally } from './limit-tally.ts';
import type { CallerPeak, Peak } from './peaks.ts';
import type {
  Counts,
  EndpointReport,
  LimitReport,
  LogReport,
  PeakReport,
  SimulationReport,
  SuggestionReport,
} from './simulation-report.ts';
import { suggestLimit } from './suggest-limit.ts';
import type { Tally } from './tally.ts';

export interface ReportOptions {
  readonly log: LogReport;
  readonly exact: boolean;
  /** Callers of a ranking. */
  readonly top: number;
  /** The share of denials to find limits for. */
  readonly suggestRatio: number | undefined;
}

/** Puts together what a replay has counted, and finds the limits that were asked for. */
export function reportOf(tally: Tally, { log, exact, top, suggestRatio }: ReportOptions): SimulationReport {
  const endpoints = tally.endpoints.map((each) => endpointReport(each, suggestRatio));
  const sum = (name: keyof Counts) => endpoints.reduce((total, each) => total + each[name], 0);
  return {
    log,
    from: tally.firstMicros === undefined ? null : isoTime(tally.firstMicros),
    to: tally.lastMicros === undefined ? null : isoTime(tally.lastMicros),
    exact,
    total: {
      requests: sum('requests'),
      allowed: sum('allowed'),
      denied: sum('denied'),
      refused: sum('refused'),
      shadowDenied: sum('shadowDenied'),
      bypassed: sum('bypassed'),
      unlimited: sum('unlimited'),
    },
    endpoints,
    mostDenied: tally.denied.summary().entries.slice(0, top),
    mostShadowDenied: tally.shadowDenied.summary().entries.slice(0, top),
    timeline: {
      bucketSeconds: tally.timeline.widthSeconds,
      buckets: tally.timeline.buckets.map(({ startMicros, ...counts }) => ({
        start: isoTime(startMicros),
        ...counts,
      })),
    },
  };
}

function endpointReport(tally: EndpointTally, suggestRatio: number | undefined): EndpointReport {
  const { endpoint, rule, requests, allowed, denied, refused, shadowDenied, bypassed, unlimited } = tally;
  return {
    endpoint,
    rule: rule.name,
    ...{ requests, allowed, denied, refused, shadowDenied, bypassed, unlimited },
    peakSecond: peakReport(tally.second.peak),
    peakMinute: peakReport(tally.minute.peak),
    limits: tally.limits.map((each) => limitReport(each, suggestRatio)),
  };
}

function limitReport(tally: LimitTally, suggestRatio: number | undefined): LimitReport {
  const { limit, override, requests, denied } = tally;
  const { name, algorithm, burst, windowMicros, shadow } = limit;
  const caller = tally.caller.peak as CallerPeak;
  return {
    name,
    override: override ?? null,
    algorithm,
    limit: limit.limit,
    burst,
    window: formatWindow(windowMicros),
    shadow,
    requests,
    denied,
    peak: peakReport(tally.total.peak),
    callerPeak: { ...peakReport(caller), identifier: caller.identifier },
    suggestion: suggestionReport(limit, tally, suggestRatio),
  };
}

function suggestionReport(
  limit: Limit,
  { demand }: LimitTally,
  deniedRatio: number | undefined,
): SuggestionReport | null {
  if (deniedRatio === undefined || demand === undefined || !demand.complete) return null;
  const { suggested, below, withoutDenials } = suggestLimit(limit, demand, deniedRatio);
  return {
    deniedRatio,
    suggested: suggested ?? null,
    below: below ?? null,
    withoutDenials: withoutDenials ?? null,
  };
}

/** What was asked at all has a peak. */
function peakReport(peak: Peak | undefined): PeakReport {
  const { units, atMicros } = peak as Peak;
  return { units, at: isoTime(atMicros) };
}

function isoTime(micros: number): string {
  return new Date(Math.floor(micros / 1000)).toISOString();
}
