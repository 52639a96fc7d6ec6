/**
 * Hides secrets in what errors and events carry, before errors are made of it (option `redact`).
 *
 * Everything that an instance tells of itself goes through here once: a report of the engine, an error
 * map of Python, what a handler in Node threw, and the errors that the facade makes by itself.
 */

import { isPlain } from './options/checks.js';
import type { Redact } from './options/redact.js';

/** Fields whose values are names of ours or of classes: programs decide by them. */
const NAMES: ReadonlySet<string> = new Set(
  'code crash level mro phase previous protocol reason signal state stream type'.split(' '),
);

/** Fields that hold reports again. */
const REPORTS = new Set(['cause', 'exceptions', 'failure', 'pythonError']);

/** Hides what the user's function, or the user's patterns, hide. */
export class Redactor {
  readonly #redact: Redact;

  constructor(redact: Redact) {
    this.#redact = redact;
  }

  /** @param field the name of what holds the text */
  text(text: string, field: string): string {
    return this.#redact(text, field);
  }

  /** An error map of Python's, a failure of the engine's, or an event of its: a copy without secrets. */
  report<Report extends object>(report: Report): Report {
    const entries = Object.entries(report).map(([field, value]: [string, unknown]) => {
      if (NAMES.has(field)) return [field, value];
      if (REPORTS.has(field)) return [field, this.#reports(value)];
      return [field, this.#value(value, field, field === 'data')];
    });
    return Object.fromEntries(entries) as Report;
  }

  /** A value of the user's that is shown as an error: a copy without secrets, numbers included. */
  value(value: unknown, field: string): unknown {
    return this.#value(value, field, true);
  }

  /** An error of this package that was just made: the same, without secrets. */
  error<Own extends Error>(error: Own): Own {
    for (const field of Object.getOwnPropertyNames(error)) {
      const { value, ...kind } = Object.getOwnPropertyDescriptor(error, field) ?? {};
      if (NAMES.has(field) || !('writable' in kind)) continue;
      const shown =
        field === 'cause' && value instanceof Error
          ? this.#foreign(value, new Set([error]))
          : this.#value(value, field, false);
      Object.defineProperty(error, field, { ...kind, value: shown });
    }
    return error;
  }

  /** Of somebody else's error no more than what it says remains, and the original as it was. */
  #foreign(error: Error, outer: Set<Error>): Error {
    const copy = Object.create(Object.getPrototypeOf(error) as object) as Error;
    outer.add(error);
    const { message, stack, cause } = error;
    const fields: Record<string, unknown> = {
      message: this.#value(message, 'message', false),
      stack: this.#value(stack, 'stack', false),
    };
    if (cause instanceof Error && !outer.has(cause)) fields['cause'] = this.#foreign(cause, outer);
    for (const [field, value] of Object.entries(fields)) {
      Object.defineProperty(copy, field, { configurable: true, writable: true, value });
    }
    return copy;
  }

  #reports(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((item: unknown) => this.#reports(item));
    return isPlain(value) ? this.report(value) : this.#value(value, 'cause', true);
  }

  /** @param numbers whether numbers are looked at as well: elsewhere they are ours */
  #value(value: unknown, field: string, numbers: boolean): unknown {
    switch (typeof value) {
      case 'string':
        return this.#redact(value, field);
      case 'number':
      case 'bigint':
        return numbers ? this.#changed(value, String(value), field, (text) => text) : value;
      case 'object':
        return value === null ? null : this.#object(value, field, numbers);
      case 'boolean':
      case 'function':
      case 'symbol':
      case 'undefined':
        return value;
    }
  }

  #object(value: object, field: string, numbers: boolean): unknown {
    const inner = (item: unknown): unknown => this.#value(item, field, numbers);
    if (Array.isArray(value)) return value.map(inner);
    if (Buffer.isBuffer(value)) {
      return this.#changed(value, value.toString(), field, (text) => Buffer.from(text));
    }
    if (value instanceof Map) {
      return new Map(
        [...value].map(([key, item]) => [inner(key), this.#entry(key, item, numbers)]),
      );
    }
    if (value instanceof Set) return new Set([...value].map(inner));
    if (!isPlain(value)) return value;
    const entries = Object.entries(value).map(([key, item]) => [
      this.#redact(key, field),
      this.#entry(key, item, numbers),
    ]);
    return Object.fromEntries(entries);
  }

  #entry(key: unknown, item: unknown, numbers: boolean): unknown {
    return this.#value(item, String(key), numbers);
  }

  /** What cannot be looked through as it is stays what it is, unless its text holds a secret. */
  #changed<Kept>(
    value: Kept,
    text: string,
    field: string,
    make: (shown: string) => unknown,
  ): unknown {
    const shown = this.#redact(text, field);
    return shown === text ? value : make(shown);
  }
}
