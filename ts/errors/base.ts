/** What all errors of the package have in common. */

import { CATEGORIES, CODES, type ErrorCategory, type ErrorCode, RETRYABLE } from './codes.js';

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
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.code = code;
    this.retryable = fields.retryable ?? RETRYABLE.has(code);
    this.timestamp = fields.timestamp ?? Date.now();
    setGiven(this, {
      worker: fields.worker,
      handler: fields.handler,
      callId: fields.callId,
      stderrTail: fields.stderrTail === '' ? undefined : fields.stderrTail,
      mayHaveExecuted: fields.mayHaveExecuted,
      hint: fields.hint,
      details: fields.details,
    });
    if (fields.above !== undefined) Error.captureStackTrace(this, fields.above);
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

  /** Everything that is known, for structured logs. */
  toJSON(): Record<string, unknown> {
    const own: Record<string, unknown> = {};
    for (const key of Object.getOwnPropertyNames(this)) {
      if (key !== 'cause') own[key] = (this as unknown as Record<string, unknown>)[key];
    }
    const { name, message, code, category } = this;
    const cause = this.cause === undefined ? {} : { cause: loggable(this.cause) };
    return { ...own, name, message, code, category, ...cause };
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

/** Foreign errors would be `{}` in JSON. */
function loggable(cause: unknown): unknown {
  if (!(cause instanceof Error) || isSynapseError(cause)) return cause;
  const { name, message, stack } = cause;
  return { name, message, stack };
}
