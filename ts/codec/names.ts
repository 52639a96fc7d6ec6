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
    const first = bytes[start] as number;
    const middle = bytes[start + (size >> 1)] as number;
    const last = bytes[start + size - 1] as number;
    const place = ((first * 31 + last) * 31 + middle * 7 + size) & (PLACES - 1);
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
    for (let index = 0; index < size; index++) {
      if (kept[from + index] !== bytes[start + index]) return false;
    }
    return true;
  }
}

/** Whether an object inherits the name, so that assignment could reach a setter or be refused. */
export function isSpecial(name: string): boolean {
  return name in Object.prototype;
}
