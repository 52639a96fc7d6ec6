import { oneOf } from './checks.js';

const CHOICES = ['auto', 'synapse', 'stdio'] as const;

/** What the worker speaks; `stdio` is the framing of 1.4. Default `auto`: found out from the script. */
export type ProtocolOption = (typeof CHOICES)[number];

/** @throws unless it is one of the choices */
export function normalizeProtocol(value: unknown = 'auto'): ProtocolOption {
  return oneOf('protocol', value, CHOICES);
}
