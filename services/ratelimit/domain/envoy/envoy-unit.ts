import type { EnvoyUnit } from './envoy-config.ts';

const SECOND_MICROS = 1_000_000;
const DAY_MICROS = 86_400 * SECOND_MICROS;

/** Length of each unit in µs. */
export const ENVOY_UNIT_MICROS: Readonly<Record<EnvoyUnit, number>> = {
  SECOND: SECOND_MICROS,
  MINUTE: 60 * SECOND_MICROS,
  HOUR: 3_600 * SECOND_MICROS,
  DAY: DAY_MICROS,
  WEEK: 7 * DAY_MICROS,
  MONTH: 30 * DAY_MICROS,
  YEAR: 365 * DAY_MICROS,
};

export function isEnvoyUnit(text: string): text is EnvoyUnit {
  return Object.hasOwn(ENVOY_UNIT_MICROS, text);
}
