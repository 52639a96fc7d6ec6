import { texts } from './checks.js';
import { refusal } from './invalid.js';

/** Which of Node's environment variables the worker gets: all (default), none, or those named. */
export type InheritEnvOption = boolean | readonly string[];

/** @throws unless it is true, false or an array of names */
export function normalizeInheritEnv(value: unknown = true): boolean | string[] {
  if (typeof value === 'boolean') return value;
  if (!Array.isArray(value)) throw refusal('inheritEnv', 'true, false or an array of names', value);
  return texts('inheritEnv', value, 'a name');
}
