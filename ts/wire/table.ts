/**
 * The table through which the engine answers: numbers in shared memory instead of objects, for one
 * native call may settle a thousand calls. `src/binding/table.rs` writes it.
 */

/** Position of the number of settled calls. */
export const SETTLED = 0;
/** Position of the flags. */
export const FLAGS = 1;
/** Position of the number of bytes that are done with. */
export const CONSUMED = 2;
/** Position of the number of bytes that the next frame takes. */
export const NEED = 3;
/** Position of the milliseconds until the engine wants to be woken, plus one; 0 for nothing new. Whoever reads it sets it to 0. */
export const WAKE = 4;
/** Where the settled calls begin. */
export const ENTRIES = 8;
/** Numbers an entry: id, kind, start, end. From {@link CALLBACK} on the id is that of no call. */
export const ENTRY = 4;

/** Flag: events wait to be taken. */
export const HAS_EVENTS = 1;
/** Flag: kept replies wait to be taken. */
export const HAS_KEPT = 2;

/** Kind: a result. */
export const RESPONSE = 0;
/** Kind: an exception. */
export const ERROR = 1;
/** Kind: a result in the framing of 1.4. */
export const REPLY = 2;

/** Kind: an item of a stream; more will come. */
export const ITEM = 3;
/** Kind: the end of a stream. */
export const END = 4;
/** Kind: how far a call is; more will come. */
export const PROGRESS = 5;

/** Kind: a callback of Python. The id is its number. */
export const CALLBACK = 6;
/** Kind: Python takes more items of the answer to a callback. */
export const GRANT = 7;
/** Kind: Python does not want the answer to a callback any more. */
export const CANCEL = 8;
/** Kind: Python does not need a function any more. The id is the function's. */
export const RELEASE = 9;

/** Kind: nobody wants the answer, but it refers to shared memory, which is to be let go. */
export const UNWANTED = 10;

/** Calls that one native call settles at most. */
const CAPACITY = 1024;

/** A table for {@link CAPACITY} settled calls. */
export function createTable(): Uint32Array {
  return new Uint32Array(ENTRIES + ENTRY * CAPACITY);
}
