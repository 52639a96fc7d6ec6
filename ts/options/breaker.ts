import { integer, isPlain, milliseconds } from './checks.js';
import { refusal } from './invalid.js';
import { knownNames } from './names.js';

/** When calls stop being made because they fail anyway. */
export interface BreakerPolicy {
  /** Failures that open the breaker; default 5. */
  readonly failures?: number | undefined;
  /** How long it stays open, in ms; default 30000. */
  readonly resetMs?: number | undefined;
  /** Calls let through when that time is over; default 1. */
  readonly probes?: number | undefined;
  /** Successes among those that close it; default 1. */
  readonly successes?: number | undefined;
}

/** The circuit breaker; default `false`: none. `true` for the defaults of its policy. */
export type BreakerOption = boolean | BreakerPolicy;

/** The option with its defaults applied. */
export interface Breaker {
  readonly failures: number;
  readonly resetMs: number;
  readonly probes: number;
  readonly successes: number;
}

/** @returns null if there is none */
export function normalizeBreaker(value: unknown = false): Breaker | null {
  if (value === false) return null;
  if (value !== true && !isPlain(value)) {
    const names = 'failures, resetMs, probes, successes';
    throw refusal('breaker', `true, false or an object with ${names}`, value);
  }
  const names = ['failures', 'resetMs', 'probes', 'successes'];
  const policy = knownNames('breaker', value === true ? {} : value, names);
  const count = (name: string, fallback: number): number =>
    integer(`breaker.${name}`, policy[name] ?? fallback, 1, 0xffff_ffff);
  return {
    failures: count('failures', 5),
    resetMs: milliseconds('breaker.resetMs', policy['resetMs'] ?? 30_000),
    probes: count('probes', 1),
    successes: count('successes', 1),
  };
}
