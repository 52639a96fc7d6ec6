/**
 * Property names of outgoing objects, encoded once. Objects with the same names in the same order
 * come in rows; after each name the encoder predicts the one that followed it last time, and copies
 * its bytes in words if the guess is right, which one comparison of pointers tells.
 */

/** Bytes of the longest encoded name that is kept, its header included. */
export const KEPT_BYTES = 32;
/** Names that are kept: enough for the records of a program, too few to waste memory on. */
const MAXIMUM_NAMES = 1024;
/** Objects with names beyond those that make it worth to learn anew. */
const PATIENCE = 1024;

/** A property name and its bytes. */
export class Key {
  readonly name: string;
  /** Bytes of the encoded name; 0 if it is too long to keep. */
  readonly size: number;
  /** The name that followed this one last time. */
  next: Key | undefined = undefined;
  /** The bytes as big-endian words; beyond `size` they are whatever lay there. */
  readonly word0: number;
  readonly word1: number;
  readonly word2: number;
  readonly word3: number;
  readonly word4: number;
  readonly word5: number;
  readonly word6: number;
  readonly word7: number;

  constructor(name: string, size: number, view: DataView, at: number) {
    this.name = name;
    this.size = size <= KEPT_BYTES ? size : 0;
    this.word0 = view.getInt32(at);
    this.word1 = view.getInt32(at + 4);
    this.word2 = view.getInt32(at + 8);
    this.word3 = view.getInt32(at + 12);
    this.word4 = view.getInt32(at + 16);
    this.word5 = view.getInt32(at + 20);
    this.word6 = view.getInt32(at + 24);
    this.word7 = view.getInt32(at + 28);
  }

  /** Writes the bytes; up to 31 bytes after them are overwritten too. */
  write(view: DataView, at: number): number {
    view.setInt32(at, this.word0);
    view.setInt32(at + 4, this.word1);
    if (this.size > 8) {
      view.setInt32(at + 8, this.word2);
      view.setInt32(at + 12, this.word3);
      if (this.size > 16) {
        view.setInt32(at + 16, this.word4);
        view.setInt32(at + 20, this.word5);
        view.setInt32(at + 24, this.word6);
        view.setInt32(at + 28, this.word7);
      }
    }
    return at + this.size;
  }
}

/** Where the names of objects at one depth begin. */
export interface KeyRoot {
  /** The first name of the last object. */
  next: Key | undefined;
  /** Bytes of the header of the last object: 1, 3 or 5. */
  header: 1 | 3 | 5;
}

/** The names that a writer knows. */
export class KeyBook {
  readonly #keys = new Map<string, Key>();
  readonly #roots: KeyRoot[] = [];
  #strangers = 0;

  /** The start of the prediction for objects at a depth. */
  root(depth: number): KeyRoot {
    while (this.#roots.length <= depth) this.#roots.push({ next: undefined, header: 1 });
    return this.#roots[depth] as KeyRoot;
  }

  /**
   * Looks a name up that was not predicted and has just been written; learns it if there is room.
   * `undefined` if not: the object may be a dictionary, the rest of its names is not looked up.
   */
  meet(name: string, size: number, view: DataView, at: number): Key | undefined {
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    if (this.#keys.size >= MAXIMUM_NAMES) {
      if (++this.#strangers >= PATIENCE) this.#forget();
      return undefined;
    }
    const key = new Key(name, size, view, at);
    this.#keys.set(name, key);
    return key;
  }

  #forget(): void {
    this.#keys.clear();
    for (const root of this.#roots) root.next = undefined;
    this.#strangers = 0;
  }
}
