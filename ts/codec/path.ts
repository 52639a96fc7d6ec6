/**
 * Where in a value the thing is that cannot be encoded. The encoder does not track paths; after a
 * failure this walks the value once more, by the same rules, slowly.
 */

import {
  classify,
  describe,
  errorContent,
  isOpen,
  type Kind,
  replacement,
  unbox,
} from './classify.js';
import type { ExtensionEncoder } from './extension.js';
import { EncodeFailure } from './failures.js';
import { decimalDigits, MAXIMUM_DIGITS } from './limits.js';
import { isFilled, type NdArray } from './ndarray.js';
import { isWellFormed } from './text.js';

/** Thrown inside the encoder when a value cannot cross; {@link diagnose} finds out which and why. */
export class Refusal extends Error {}

/** Characters of a path that a message shows; the failure's `path` is complete. */
const SHOWN_PATH = 160;
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

interface Finding {
  readonly what: string;
  readonly path: string;
  readonly cause?: unknown;
}

/**
 * Makes of whatever ended the encoder the failure that the caller sees. Runs getters, `toJSON` and
 * the extension hook a second time.
 */
export function diagnose(
  value: unknown,
  cause: unknown,
  depth: number,
  extension: ExtensionEncoder | undefined,
): EncodeFailure {
  if (cause instanceof EncodeFailure) return cause;
  let finding: Finding | undefined;
  try {
    finding = new Walk(depth, extension).visit(value, '$', 0);
  } catch (error) {
    const deep = isStackEnd(error) && isStackEnd(cause);
    const what = deep ? 'value nested deeper than the stack allows' : `value: ${text(error)}`;
    finding = { what, path: '$', cause: error };
  }
  if (finding === undefined) {
    const changed = cause instanceof Refusal;
    const what = changed ? 'value that changes while it is encoded' : `value: ${text(cause)}`;
    finding = { what, path: '$', ...(changed ? {} : { cause }) };
  }
  const { path } = finding;
  const shown = path.length > SHOWN_PATH ? `${path.slice(0, SHOWN_PATH)}…` : path;
  const options = 'cause' in finding ? { cause: finding.cause } : undefined;
  return new EncodeFailure(`cannot encode ${finding.what} (at ${shown})`, path, 'ENCODE', options);
}

/** Whether the stack came to its end. */
function isStackEnd(error: unknown): boolean {
  return error instanceof RangeError && error.message.includes('call stack');
}

/** The path of a property: `.name`, or `["odd name"]` if that is no identifier. */
function property(path: string, key: string): string {
  return IDENTIFIER.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

class Walk {
  readonly #depth: number;
  readonly #extension: ExtensionEncoder | undefined;
  readonly #ancestors = new Set<object>();

  constructor(depth: number, extension: ExtensionEncoder | undefined) {
    this.#depth = depth;
    this.#extension = extension;
  }

  /** The first thing within `value` that cannot be encoded, in the encoder's order. */
  visit(value: unknown, path: string, depth: number): Finding | undefined {
    switch (typeof value) {
      case 'string':
        return isWellFormed(value) ? undefined : { what: describe(value), path };
      case 'symbol':
        return { what: describe(value), path };
      case 'bigint':
        return decimalDigits(value) === undefined
          ? { what: `bigint of more than ${MAXIMUM_DIGITS} digits`, path }
          : undefined;
      case 'function':
        return this.#object(value, path, depth);
      case 'object':
        return value === null ? undefined : this.#object(value, path, depth);
      case 'boolean':
      case 'number':
      case 'undefined':
        return undefined;
    }
  }

  #object(value: object, path: string, depth: number): Finding | undefined {
    let kind: Kind;
    try {
      kind = classify(value);
      if (isOpen(kind) && this.#extension?.(value) !== undefined) return undefined;
    } catch (cause) {
      return { what: `${describe(value)}: ${text(cause)}`, path, cause };
    }
    switch (kind) {
      case 'refused':
        return { what: describe(value), path };
      case 'date':
        return Number.isNaN(Date.prototype.getTime.call(value))
          ? { what: describe(value), path }
          : undefined;
      case 'ndarray':
        return isFilled(value as NdArray)
          ? undefined
          : { what: 'ndarray whose data does not fill its shape', path };
      case 'boxed':
        return this.visit(unbox(value), path, depth);
      case 'buffer':
        return this.#read(() => new Uint8Array(value as ArrayBufferLike), path, depth);
      case 'error':
        return this.#read(() => errorContent(value as Error), path, depth);
      case 'array':
      case 'plain':
      case 'instance':
      case 'map':
      case 'set':
      case 'json':
        return this.#container(value, kind, path, depth);
      case 'bytes':
      case 'typed':
        return undefined;
    }
  }

  #container(
    value: object,
    kind: 'array' | 'plain' | 'instance' | 'map' | 'set' | 'json',
    path: string,
    depth: number,
  ): Finding | undefined {
    if (this.#ancestors.has(value)) return { what: 'circular reference', path };
    if (depth >= this.#depth) {
      return { what: `value nested deeper than ${this.#depth} levels`, path };
    }
    this.#ancestors.add(value);
    try {
      switch (kind) {
        case 'array':
          return this.#items(value as unknown[], path, depth);
        case 'plain':
        case 'instance':
          return this.#properties(value, path, depth);
        case 'map':
          return this.#entries(value as Map<unknown, unknown>, path, depth);
        case 'set':
          return this.#elements(value as Set<unknown>, path, depth);
        case 'json':
          return this.#json(value, path, depth);
      }
    } finally {
      this.#ancestors.delete(value);
    }
  }

  #items(value: readonly unknown[], path: string, depth: number): Finding | undefined {
    for (let index = 0; index < value.length; index++) {
      const finding = this.#read(() => value[index], `${path}[${index}]`, depth);
      if (finding !== undefined) return finding;
    }
    return undefined;
  }

  #properties(value: object, path: string, depth: number): Finding | undefined {
    for (const key of Object.keys(value)) {
      const at = property(path, key);
      if (!isWellFormed(key)) return { what: 'key with a lone surrogate', path: at };
      const finding = this.#read(() => (value as Record<string, unknown>)[key], at, depth);
      if (finding !== undefined) return finding;
    }
    return undefined;
  }

  #entries(value: Map<unknown, unknown>, path: string, depth: number): Finding | undefined {
    let index = 0;
    for (const [key, item] of Map.prototype.entries.call(value) as MapIterator<
      [unknown, unknown]
    >) {
      const named = typeof key === 'string' ? property(path, key) : `${path}[entry ${index}]`;
      const inKey = this.visit(
        key,
        typeof key === 'string' ? named : `${path}[key ${index}]`,
        depth + 1,
      );
      const finding = inKey ?? this.visit(item, named, depth + 1);
      if (finding !== undefined) return finding;
      index++;
    }
    return undefined;
  }

  #elements(value: Set<unknown>, path: string, depth: number): Finding | undefined {
    let index = 0;
    for (const item of Set.prototype.values.call(value) as SetIterator<unknown>) {
      const finding = this.visit(item, `${path}[${index}]`, depth + 1);
      if (finding !== undefined) return finding;
      index++;
    }
    return undefined;
  }

  #json(value: object, path: string, depth: number): Finding | undefined {
    let replaced: ReturnType<typeof replacement>;
    try {
      replaced = replacement(value);
    } catch (cause) {
      return { what: `${describe(value)}: ${text(cause)}`, path, cause };
    }
    return replaced.asInstance
      ? this.#properties(replaced.value as object, path, depth)
      : this.visit(replaced.value, path, depth + 1);
  }

  #read(get: () => unknown, path: string, depth: number): Finding | undefined {
    let value: unknown;
    try {
      value = get();
    } catch (cause) {
      return { what: `value: ${text(cause)}`, path, cause };
    }
    return this.visit(value, path, depth + 1);
  }
}
