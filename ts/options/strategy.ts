import { oneOf } from './checks.js';

const CHOICES = ['least-busy', 'round-robin', 'random', 'weighted', 'fastest'] as const;

/** How the worker for a call is chosen; default `least-busy`. */
export type StrategyOption = (typeof CHOICES)[number];

/** @throws unless it is one of the choices */
export function normalizeStrategy(value: unknown = 'least-busy'): StrategyOption {
  return oneOf('strategy', value, CHOICES);
}
