/** What all errors of the package have in common. */

import { CATEGORIES, CODES, type ErrorCategory, type ErrorCode, RETRYABLE } from './codes.js';
import { jsonable } from './jsonable.js';

/**
 * Marks the prototype of every error class with the class's name. The registry is that of the
 * process, so errors of another copy of the package are recognised too.
 */
const BRAND = Symbol.for('synapse.error');

/** A function whose frame, and those above it, are left out of a stack. */
export type Frame = (...values: never[]) => unknown;

/** What every error can be given. All of it may be absent. */
export interface SynapseErrorFields {
  /** What led to it. */
  readonly cause?: unknown;
  /** Whether the same call may well succeed when made again; the default depends on the code. */
  readonly retryable?: boolean | undefined;
  /** When it happened, in ms since the epoch; default now. */
  readonly timestamp?: number | undefined;
  /** The worker's id. */
  readonly worker?: number | undefined;
  /** The handler that was called. */
  readonly handler?: string | undefined;
  /** The call's id. */
  readonly callId?: number | undefined;
  /** The end of what the worker wrote to stderr. */
  readonly stderrTail?: string | undefined;
  /** Whether the call may have run, in part or in full. */
  readonly mayHaveExecuted?: boolean | undefined;
  /** The way out, in words. */
  readonly hint?: string | undefined;
  /** Whatever else is known. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  /** The stack begins at this function's caller; default: where the error is made. */
  readonly above?: Frame | undefined;
}

/** The fields that an error has only if they are known. */
const OPTIONAL = [
  'worker',
  'handler',
  'callId',
  'stderrTail',
  'mayHaveExecuted',
  'hint',
  'details',
] as const;

/** The base of every rejection. Tell errors apart by class or by `code`. */
export class SynapseError extends Error {
  /** What went wrong, as a stable name. */
  readonly code: ErrorCode;
  /** Whether the same call may well succeed when made again. Not whether that is safe: see {@link mayHaveExecuted}. */
  readonly retryable: boolean;
  /** When it happened, in ms since the epoch. */
  readonly timestamp: number;
  /** The worker's id. */
  declare readonly worker?: number;
  /** The handler that was called. */
  declare readonly handler?: string;
  /** The call's id. */
  declare readonly callId?: number;
  /** The end of what the worker wrote to stderr. */
  declare readonly stderrTail?: string;
  /** Whether the call may have run, in part or in full. */
  declare readonly mayHaveExecuted?: boolean;
  /** The way out, in words. */
  declare readonly hint?: string;
  /** Whatever else is known and has no property of its own. */
  declare readonly details?: Readonly<Record<string, unknown>>;

  static {
    identify(SynapseError, 'SynapseError');
  }

  constructor(code: ErrorCode, message: string, fields: SynapseErrorFields = {}) {
    const { above, cause } = fields;
    const { stackTraceLimit } = Error;
    // A worker's death makes errors by the thousand: no stack is captured twice.
    if (above !== undefined) Error.stackTraceLimit = 0;
    super(message, cause === undefined ? undefined : { cause });
    if (above !== undefined) {
      Error.stackTraceLimit = stackTraceLimit;
      Error.captureStackTrace(this, above);
    }
    this.code = code;
    this.retryable = fields.retryable ?? RETRYABLE.has(code);
    this.timestamp = fields.timestamp ?? Date.now();
    for (const name of OPTIONAL) {
      const value = fields[name];
      if (value !== undefined && value !== '') (this as Record<string, unknown>)[name] = value;
    }
  }

  /**
   * Whether a value is an error of this class. Unlike `instanceof` it also holds for errors of
   * another copy of the package or of another realm.
   */
  static is<Instance>(this: { readonly prototype: Instance }, value: unknown): value is Instance {
    // biome-ignore lint/complexity/noThisInStatic: the class that is asked about
    const prototype = this.prototype as object;
    if (typeof value !== 'object' || value === null) return false;
    if (Object.prototype.isPrototypeOf.call(prototype, value)) return true;
    // Classes that users derive inherit the brand of ours and must not answer for all of those.
    if (!Object.hasOwn(prototype, BRAND)) return false;
    const brand = brandOf(value);
    return (
      brand !== undefined && (prototype === SynapseError.prototype || brand === brandOf(prototype))
    );
  }

  /** A coarse sorting, for metrics and dashboards. */
  get category(): ErrorCategory {
    return CATEGORIES[CODES[this.code]];
  }

  /** Everything that is known, causes included, for structured logs. */
  toJSON(): Record<string, unknown> {
    return toRecord(this, new Set());
  }
}

/** Whether a value is an error of this package, whichever copy of it made the value. */
export function isSynapseError(value: unknown): value is SynapseError {
  return SynapseError.is(value);
}

/**
 * Gives an error class its name and brand. Both sit on the prototype: neither shows among an
 * error's own properties, and both survive minifiers.
 */
export function identify(errorClass: { readonly prototype: object }, name: string): void {
  const hidden = { configurable: true, enumerable: false, writable: true };
  Object.defineProperty(errorClass.prototype, 'name', { ...hidden, value: name });
  Object.defineProperty(errorClass.prototype, BRAND, { value: name });
}

/** Sets the fields that are not undefined: an error shows only what is known. */
export function setGiven(target: object, fields: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) (target as Record<string, unknown>)[name] = value;
  }
}

function brandOf(value: object): unknown {
  return (value as { readonly [BRAND]?: unknown })[BRAND];
}

/** An error's fields. The standard ones are not enumerable: in JSON they would be missing. */
function toRecord(error: Error, outer: Set<Error>): Record<string, unknown> {
  const { name, message, cause } = error;
  const record: Record<string, unknown> = { name, message };
  // A circle of causes ends where it closes.
  if (outer.has(error)) return record;
  outer.add(error);
  if (error instanceof SynapseError) record['category'] = error.category;
  for (const key of Object.getOwnPropertyNames(error)) {
    if (key !== 'cause') record[key] = jsonable((error as unknown as Record<string, unknown>)[key]);
  }
  if (cause !== undefined) {
    record['cause'] = cause instanceof Error ? toRecord(cause, outer) : jsonable(cause);
  }
  return record;
}
