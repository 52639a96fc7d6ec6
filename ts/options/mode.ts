import { oneOf } from './checks.js';

const CHOICES = ['auto', 'serial', 'async', 'threads'] as const;

/** How a worker runs its calls: in turn, on an event loop, or in threads; default `auto`, as the handlers are. */
export type ModeOption = (typeof CHOICES)[number];

/** @throws unless it is one of the choices */
export function normalizeMode(value: unknown = 'auto'): ModeOption {
  return oneOf('mode', value, CHOICES);
}
