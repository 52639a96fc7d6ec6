/** What a handler may be called. */

import { InvalidOptionError, show } from '../options/invalid.js';
import { RESERVED } from '../reserved.js';

/** Bytes of a name; they are all ASCII. */
const LONGEST = 64;
const PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/** What Python calls to learn what it may call. */
export const TOOLS = `${RESERVED}tools`;

/**
 * @throws TypeError unless it is 1 to 64 of `A-Z a-z 0-9 _ . -` and begins with a letter or digit, but
 *   not with `synapse.`
 */
export function checkName(name: unknown): asserts name is string {
  if (typeof name === 'string' && name.startsWith(RESERVED)) {
    throw new InvalidOptionError(
      `the name of a handler must not begin with "${RESERVED}", got ${show(name)}`,
    );
  }
  if (typeof name === 'string' && name.length <= LONGEST && PATTERN.test(name)) return;
  throw new InvalidOptionError(
    `the name of a handler must be 1 to ${LONGEST} of the characters A-Z a-z 0-9 _ . - and begin with ` +
      `a letter or a digit, got ${show(name)}`,
  );
}
