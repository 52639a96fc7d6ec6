/** Calls become frames: what precedes a request, its header, and its arguments. On the hot path. */

import { encodeArrow } from './arrow.js';
import { type Asking, type FunctionTable, type ValueParts, writeAsked } from './callbacks/index.js';
import type { CallTarget } from './calls.js';
import { EncodeFailure, Writer } from './codec/index.js';
import { fromCodec, type SynapseError } from './errors/index.js';
import type { NativeConfig, NormalizedCallOptions } from './options/index.js';
import { NO_WORKER, type SharedMemory } from './shared-memory.js';
import { writeExtras } from './wire/extras.js';
import * as header from './wire/header.js';
import { writeOptions } from './wire/options.js';
import { writePolicies } from './wire/policies.js';
import { writeSession } from './wire/session.js';

/** Writes the requests of one engine. */
export class RequestEncoder {
  readonly #config: NativeConfig;
  readonly #functions: FunctionTable;
  readonly #memory: SharedMemory;

  constructor(config: NativeConfig, { functions, memory }: ValueParts) {
    this.#config = config;
    this.#functions = functions;
    this.#memory = memory;
  }

  /** A writer for the frames of a tick, with this engine's limits. */
  createWriter(): Writer {
    return new Writer({
      depth: this.#config.depthLimit,
      bytes: this.#config.frameLimit - 64,
      extension: (value) => this.#functions.encode(value) ?? encodeArrow(value),
      lend: this.#memory.lend,
    });
  }

  /**
   * Appends a call. What it had appended is taken back where it fails.
   *
   * @param asked the callback on whose behalf the call is made
   * @returns why its arguments cannot be encoded, if they cannot
   * @throws what code of the user's throws while a value is looked at
   */
  encode(
    writer: Writer,
    id: number,
    target: CallTarget,
    value: unknown,
    options: NormalizedCallOptions | undefined,
    asked: Asking | undefined,
  ): SynapseError | undefined {
    const before = writer.position;
    try {
      let flags = target.credit === 0 ? target.form : target.form | header.STREAM;
      if (options !== undefined) {
        if (options.policies !== undefined) writePolicies(writer, options.policies);
        writeOptions(writer, options, target);
        if (options.session !== undefined) writeSession(writer, options.session);
      }
      if (asked !== undefined) writeAsked(writer, asked);
      const start = writer.position;
      writer.reserve(header.HEADER_LENGTH);
      writer.position = start + header.HEADER_LENGTH;
      if (asked !== undefined) {
        flags |= header.EXTRAS | header.NESTED;
        writeExtras(writer, options?.timeout ?? 0, {
          callback: asked.id,
          metadata: options?.metadata,
        });
      } else if (options !== undefined && hasExtras(options)) {
        flags |= header.EXTRAS;
        writeExtras(writer, options.timeout, { metadata: options.metadata });
      }
      // A policy may send it again, or to two workers at once: it must not lie where one lets it go.
      const guarded = options?.policies !== undefined || this.#config.policies !== null;
      if (!guarded) this.#memory.open(NO_WORKER, id);
      writer.encode(value, options?.idempotent === true);
      if (this.#memory.close()) flags |= header.SHARED;
      if (this.#functions.hasCollected) {
        flags |= header.FUNCTIONS;
        this.#functions.assign(id);
      }
      header.writeHeader(
        writer.buffer,
        start,
        writer.position,
        header.KIND_REQUEST,
        flags,
        target.handler,
        id,
      );
      return undefined;
    } catch (cause) {
      writer.position = before;
      this.#functions.discard();
      this.#memory.withdraw();
      if (cause instanceof EncodeFailure) return fromCodec(cause, { handler: target.name });
      throw cause;
    }
  }
}

/** Whether a request says more than its arguments. The engine adds the session's state to the extras. */
function hasExtras({ timeout, metadata, session }: NormalizedCallOptions): boolean {
  return timeout > 0 || metadata !== undefined || session !== undefined;
}
