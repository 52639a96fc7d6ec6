import { oneOf } from './checks.js';

/** A preset of time limits by the kind of work. */
export type ProfileOption = 'strict' | 'production' | 'development' | 'batch';

const SECOND = 1000;

/** Time limits of calls, of streams, and of waiting in the queue. */
const PROFILES = {
  strict: limits(60, 300, 5),
  production: limits(300, 900, 10),
  development: limits(900, 3600, 60),
  batch: limits(3600, Number.POSITIVE_INFINITY, 300),
};

function limits(call: number, stream: number, queue: number) {
  return {
    limits: { callTimeout: call * SECOND, streamTimeout: stream * SECOND },
    queue: { timeout: queue * SECOND },
  };
}

/** @throws unless it is the name of a profile */
export function normalizeProfile(value: unknown): ProfileOption | undefined {
  if (value === undefined) return undefined;
  return oneOf('profile', value, Object.keys(PROFILES) as ProfileOption[]);
}

/** The options that a profile stands for; what is given besides goes before them. */
export function profileOptions(value: unknown): Readonly<Record<string, unknown>> {
  const profile = normalizeProfile(value);
  return profile === undefined ? {} : PROFILES[profile];
}
