import { integer, isPlain, milliseconds } from './checks.js';
import { refusal } from './invalid.js';
import { knownNames } from './names.js';

/** When a group passes a pool over, and when it tries it again. */
export interface GroupHealthPolicy {
  /** Calls in a row that fail for the pool's fault; default 3. */
  readonly failures?: number | undefined;
  /** How long it gets no calls then, in ms; after that one call tries it. Default 30000. */
  readonly resetMs?: number | undefined;
}

/** The option; `false`: no pool is passed over for calls that failed. */
export type GroupHealthOption = boolean | GroupHealthPolicy;

/** The option with its defaults applied. */
export interface GroupHealth {
  /** `Infinity` for never. */
  readonly failures: number;
  readonly resetMs: number;
}

/** @throws unless it is a boolean or an object of such numbers */
export function normalizeGroupHealth(value: unknown = true): GroupHealth {
  if (value === false) return { failures: Number.POSITIVE_INFINITY, resetMs: 0 };
  if (value !== true && !isPlain(value)) {
    throw refusal('health', 'true, false or an object with failures, resetMs', value);
  }
  const given = knownNames('health', value === true ? {} : value, ['failures', 'resetMs']);
  const { failures = 3, resetMs = 30_000 } = given;
  return {
    failures: integer('health.failures', failures, 1, 0xffff_ffff),
    resetMs: milliseconds('health.resetMs', resetMs),
  };
}
