import { oneOf } from './checks.js';

const CHOICES = ['auto', 'uv', 'pip', 'none'] as const;

/** What installs the dependencies; default `auto`: uv if it is on the PATH, else pip. */
export type InstallerOption = (typeof CHOICES)[number];

/** @throws unless it is one of the choices */
export function normalizeInstaller(value: unknown = 'auto'): InstallerOption {
  return oneOf('installer', value, CHOICES);
}
