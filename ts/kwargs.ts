/** Keyword arguments. */

import { isPlain } from './options/checks.js';
import { InvalidOptionError, show } from './options/invalid.js';

/** In the registry of the process: keyword arguments of another copy of the package are recognised. */
const BRAND = Symbol.for('synapse.kwargs');

/** Keyword arguments for a handler. Made by {@link kwargs}. */
export class Kwargs<Values extends object = Readonly<Record<string, unknown>>> {
  /** The arguments by name. */
  readonly values: Values;

  static {
    Object.defineProperty(Kwargs.prototype, BRAND, { value: true });
  }

  constructor(values: Values) {
    this.values = values;
  }

  /** Whether a value was made by {@link kwargs}, of whichever copy of the package. */
  static is(value: unknown): value is Kwargs {
    return typeof value === 'object' && value !== null && BRAND in value;
  }
}

/**
 * Marks an object as keyword arguments: `invoke('add', kwargs({ a: 1, b: 2 }))` is `add(a=1, b=2)`.
 *
 * @throws TypeError unless it is a plain object
 */
export function kwargs<Values extends object>(values: Values): Kwargs<Values> {
  if (!isPlain(values)) {
    throw new InvalidOptionError(`keyword arguments must be a plain object, got ${show(values)}`);
  }
  return new Kwargs(values);
}
