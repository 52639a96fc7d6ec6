import { oneOf } from './checks.js';

const CHOICES = ['event', 'inherit', 'ignore'] as const;

/** What becomes of a worker's output: `log` events, Node's own stream, or nothing; default `event`. */
export type OutputOption = (typeof CHOICES)[number];

/** @throws unless it is one of the choices */
export function normalizeOutput(
  option: 'stdout' | 'stderr',
  value: unknown = 'event',
): OutputOption {
  return oneOf(option, value, CHOICES);
}
