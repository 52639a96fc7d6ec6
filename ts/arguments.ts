/** How what `invoke` and `stream` are given becomes the arguments of a request. */

import { Kwargs } from './kwargs.js';
import * as header from './wire/header.js';

/**
 * An array is positional arguments, of which the last may be keyword arguments; `kwargs()` is those alone;
 * anything else is one positional argument.
 */
export function layOut(args: unknown): { form: number; value: unknown } {
  if (args === undefined) return { form: header.ARGUMENTS_POSITIONAL, value: [] };
  if (Kwargs.is(args)) return { form: header.ARGUMENTS_KEYWORD, value: args.values };
  if (!Array.isArray(args)) return { form: header.ARGUMENT_VALUE, value: args };
  const last = args.at(-1);
  if (!Kwargs.is(last)) return { form: header.ARGUMENTS_POSITIONAL, value: args };
  return { form: header.ARGUMENTS_BOTH, value: [args.slice(0, -1), last.values] };
}
