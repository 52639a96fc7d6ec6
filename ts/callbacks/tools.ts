/** What a registered function says of itself, and whether Python may see it. */

import { Decoder, EncodeFailure, Writer } from '../codec/index.js';
import { boolean, isPlain } from '../options/checks.js';
import { InvalidOptionError, refusal } from '../options/invalid.js';
import { knownNames } from '../options/names.js';

/** Entries of a tool's metadata. */
const MOST_ENTRIES = 32;
/** Bytes of a tool's metadata, encoded. */
const MOST_BYTES = 4096;
/** Levels of a tool's metadata: more than its bytes have room for would only hide a mistake. */
const DEEPEST = 64;

/** How a function is registered. All may be absent. */
export interface ToolOptions {
  /**
   * What Python is told of it besides its name, such as a description for a language model: at most 32
   * entries of values that can cross, 4096 bytes encoded. It is taken as it is now. Default none.
   */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** Whether Python sees it and may call it. Default true. */
  readonly exposed?: boolean | undefined;
}

/** What is known of a registered function. */
export interface ToolInfo {
  /** By which Python calls it. */
  readonly name: string;
  /** What Python is told of it besides its name; empty unless it was given. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Whether Python sees it and may call it. */
  readonly exposed: boolean;
}

/** The options with their defaults applied. */
export interface NormalizedTool {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly exposed: boolean;
}

/** @throws TypeError that names the option */
export function normalizeTool(options: ToolOptions = {}): NormalizedTool {
  const { metadata, exposed } = knownNames('', options, ['metadata', 'exposed']);
  return {
    metadata: metadata === undefined ? {} : snapshot(metadata),
    exposed: exposed === undefined ? true : boolean('exposed', exposed),
  };
}

/** A copy of metadata, as Python will see it: later changes of the original do not count. */
function snapshot(metadata: unknown): Readonly<Record<string, unknown>> {
  if (!isPlain(metadata)) throw refusal('metadata', 'an object', metadata);
  const { length } = Object.keys(metadata);
  if (length > MOST_ENTRIES) {
    throw new InvalidOptionError(
      `option "metadata" must have at most ${MOST_ENTRIES} entries, got ${length}`,
    );
  }
  const writer = new Writer({ depth: DEEPEST });
  try {
    writer.encode(metadata);
  } catch (cause) {
    if (!(cause instanceof EncodeFailure)) throw cause;
    throw new InvalidOptionError(`option "metadata" ${cause.message}`, { cause });
  }
  if (writer.position > MOST_BYTES) {
    throw new InvalidOptionError(
      `option "metadata" must take at most ${MOST_BYTES} bytes, got ${writer.position}`,
    );
  }
  const bytes = Buffer.from(writer.buffer.subarray(0, writer.position));
  return new Decoder({ depth: DEEPEST }).decode(bytes) as Record<string, unknown>;
}
