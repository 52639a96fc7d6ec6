import { boolean } from './checks.js';

/**
 * Whether a stream goes on with another worker if its own dies. Default false. The handler looks at
 * `context().resume_from` and yields what comes behind it; or it yields the same items every time, and
 * those that have come are dropped. See docs/streaming.md.
 */
export type ResumeOption = boolean;

/** @throws unless it is true or false */
export function normalizeResume(value: unknown = false): boolean {
  return boolean('resume', value);
}
