import { milliseconds, number } from './checks.js';
import { knownNames } from './names.js';

/** Delays that grow by a factor up to a ceiling. */
export interface BackoffOption {
  /** The first delay, in ms; default 100. */
  readonly initialMs?: number | undefined;
  /** What each delay is multiplied by for the next, at least 1; default 2. */
  readonly factor?: number | undefined;
  /** No delay is longer, in ms; default 30000. */
  readonly maxMs?: number | undefined;
}

/** The option with its defaults applied. */
export interface Backoff {
  readonly initialMs: number;
  readonly factor: number;
  readonly maxMs: number;
}

/**
 * @param option the name of the option that holds the delays
 * @throws unless the delays are times and the factor is from 1 to 1000
 */
export function normalizeBackoff(option: string, value: unknown = {}): Backoff {
  const names = ['initialMs', 'factor', 'maxMs'];
  const { initialMs, factor, maxMs } = knownNames(option, value, names);
  return {
    initialMs: milliseconds(`${option}.initialMs`, initialMs ?? 100),
    factor: number(`${option}.factor`, factor ?? 2, 1, 1000),
    maxMs: milliseconds(`${option}.maxMs`, maxMs ?? 30_000),
  };
}
