/**
 * Property names of incoming maps, decoded once. A fixed table keeps short names with their bytes;
 * after each name it remembers which one followed, so that rows of similar maps cost a comparison
 * of bytes per name. Whatever falls out of the table is decoded again.
 */

import { readText } from './text.js';

/** Bytes of the longest name that is kept: what fits the shortest header. */
export const KEPT_NAME = 31;
/** Places in the table, a power of two. */
const PLACES = 1024;
/** Leaves the ten upper bits of a hash. */
const HASH_SHIFT = 22;
/** Each place has 2^5 bytes. */
const SHIFT = 5;
/** Starts of predictions: maps of different sizes and depths are predicted apart. */
const ROOTS = 256;

/** The names that a decoder has met. */
export class NameTable {
  /** The name at each place. */
  readonly names: string[] = new Array<string>(PLACES).fill('');
  /** 1 where plain assignment might not make an own property, as for `__proto__`. */
  readonly special = new Uint8Array(PLACES);
  readonly #sizes = new Uint8Array(PLACES);
  readonly #bytes = new Uint8Array(PLACES << SHIFT);
  /** The place of the name that followed last time. The roots come after the places. */
  readonly #next = new Uint16Array(PLACES + ROOTS);

  /** What precedes the first name of a map with `count` names at a depth. */
  root(depth: number, count: number): number {
    return PLACES + (((depth << 4) ^ count) & (ROOTS - 1));
  }

  /**
   * The place of the name in `size` bytes (1 to 31) from `start`, which follows the name at
   * `previous`; −1 if the bytes are no UTF-8.
   */
  place(previous: number, bytes: Buffer, start: number, size: number): number {
    const predicted = this.#next[previous] as number;
    if (this.#holds(predicted, bytes, start, size)) return predicted;
    const place = hash(bytes, start, size);
    if (!this.#holds(place, bytes, start, size)) {
      const name = readText(bytes, start, size);
      if (name === undefined) return -1;
      this.names[place] = name;
      this.special[place] = isSpecial(name) ? 1 : 0;
      this.#sizes[place] = size;
      for (let index = 0; index < size; index++) {
        this.#bytes[(place << SHIFT) + index] = bytes[start + index] as number;
      }
    }
    this.#next[previous] = place;
    return place;
  }

  #holds(place: number, bytes: Buffer, start: number, size: number): boolean {
    if (this.#sizes[place] !== size) return false;
    const kept = this.#bytes;
    const from = place << SHIFT;
    // From the end: names with a common beginning are common.
    for (let index = size - 1; index >= 0; index--) {
      if (kept[from + index] !== bytes[start + index]) return false;
    }
    return true;
  }
}

/** Names mostly differ at their ends; numbered ones in the last two bytes only. */
function hash(bytes: Buffer, start: number, size: number): number {
  const last = start + size - 1;
  let mixed = (bytes[start] as number) * 31 + (bytes[start + (size >> 1)] as number);
  mixed = mixed * 31 + (bytes[last] as number);
  if (size > 1) mixed = mixed * 31 + (bytes[last - 1] as number);
  return Math.imul(mixed * 31 + size, 0x9e3779b1) >>> HASH_SHIFT;
}

const INHERITED: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype));
/** 1 for the characters that those names begin with: most names need no more than this. */
const INHERITED_STARTS = new Uint8Array(128);
for (const name of INHERITED) INHERITED_STARTS[name.charCodeAt(0)] = 1;

/** Whether an object inherits the name, so that assignment could reach a setter or be refused. */
export function isSpecial(name: string): boolean {
  return INHERITED_STARTS[name.charCodeAt(0)] === 1 && INHERITED.has(name);
}
