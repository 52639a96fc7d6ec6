import { boolean } from './checks.js';

/** Whether the installer must do without the network; default false. */
export type OfflineOption = boolean;

/** @throws unless it is true or false */
export function normalizeOffline(value: unknown = false): boolean {
  return boolean('offline', value);
}
