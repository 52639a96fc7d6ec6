import type { ErrorCode } from '../errors/codes.js';
import { integer, isPlain, milliseconds } from './checks.js';
import { errorCodes } from './codes.js';
import { refusal } from './invalid.js';
import { knownNames } from './names.js';

/** What a count cannot reach. */
const ALL = 0xffff_ffff;

/** When calls stop being made because they fail anyway. One breaker a handler. */
export interface BreakerPolicy {
  /** Failures that open the breaker; default 5. */
  readonly failures?: number | undefined;
  /** What a success takes off their count: 0 nothing, `Infinity` all; default 1. */
  readonly decay?: number | undefined;
  /** How long it stays open after the last failure, in ms; default 30000. */
  readonly resetMs?: number | undefined;
  /** Calls that are let through at once when that time is over; default 1. */
  readonly probes?: number | undefined;
  /** Successes among those that close it; default 1. */
  readonly successes?: number | undefined;
  /**
   * Failures that count; default `TIMEOUT`, `WORKER_EXITED`, `QUEUE_FULL`, `START_FAILED` and those of
   * the protocol. Exceptions of handlers count only where `PYTHON_ERROR` is among them.
   */
  readonly codes?: readonly ErrorCode[] | undefined;
}

const PRESETS = {
  decaying: { failures: 3, decay: 1, resetMs: 30_000, probes: 3, successes: 2 },
  counting: { failures: 5, decay: 0, resetMs: 30_000, probes: 1, successes: 1 },
} as const satisfies Readonly<Record<string, BreakerPolicy>>;

/**
 * The circuit breaker; default `false`: none. `true` for the defaults of its policy. `"decaying"`: three
 * failures, each success takes one off, three probes of which two must succeed. `"counting"`: five
 * failures in all, one probe.
 */
export type BreakerOption = boolean | keyof typeof PRESETS | BreakerPolicy;

/** The option with its defaults applied. */
export interface Breaker {
  readonly failures: number;
  readonly decay: number;
  readonly resetMs: number;
  readonly probes: number;
  readonly successes: number;
  /** Null for those that count by default. */
  readonly codes: readonly ErrorCode[] | null;
}

const NAMES = ['failures', 'decay', 'resetMs', 'probes', 'successes', 'codes'];

/** @returns null if there is none */
export function normalizeBreaker(value: unknown = false): Breaker | null {
  if (value === false) return null;
  const policy = knownNames('breaker', named(value), NAMES);
  const count = (name: string, fallback: number, least = 1): number =>
    integer(`breaker.${name}`, policy[name] ?? fallback, least, ALL);
  return {
    failures: count('failures', 5),
    decay: policy['decay'] === Number.POSITIVE_INFINITY ? ALL : count('decay', 1, 0),
    resetMs: milliseconds('breaker.resetMs', policy['resetMs'] ?? 30_000),
    probes: count('probes', 1),
    successes: count('successes', 1),
    codes: errorCodes('breaker.codes', policy['codes']),
  };
}

function named(value: unknown): unknown {
  if (value === true) return {};
  if (isPlain(value)) return value;
  if (value === 'decaying' || value === 'counting') return PRESETS[value];
  const presets = Object.keys(PRESETS).map((name) => `"${name}"`);
  const expected = `true, false, ${presets.join(', ')} or an object with ${NAMES.join(', ')}`;
  throw refusal('breaker', expected, value);
}
