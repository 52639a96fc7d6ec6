/** What arrives in place of a value that Python could not send, with the option `values: 'graceful'`. */

const MARK = '__unserializable__';

/** A mark in place of a value. */
export interface Unserializable {
  readonly [MARK]: true;
  /** The value's class in Python: `object`, `pkg.mod.Socket`. */
  readonly type: string;
  /** Why it could not cross. */
  readonly reason: string;
}

/** Whether a value from Python is such a mark. */
export function isUnserializable(value: unknown): value is Unserializable {
  return (
    typeof value === 'object' &&
    value !== null &&
    (value as Partial<Unserializable>)[MARK] === true &&
    typeof (value as Partial<Unserializable>).type === 'string'
  );
}
