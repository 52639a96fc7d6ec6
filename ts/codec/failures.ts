/** What goes wrong in the codec. The facade makes `EncodeError` and `ProtocolError` of these. */

/** A value that cannot cross to Python. */
export class EncodeFailure extends Error {
  override readonly name = 'EncodeFailure';

  /**
   * @param message what cannot be encoded and where
   * @param path where the value sits: `$.items[3].when`, `$["odd key"][0]`; `$` is the whole value
   * @param code `ENCODE`, or `FRAME_TOO_LARGE` when the bytes exceed the limit
   */
  constructor(
    message: string,
    readonly path: string,
    readonly code: 'ENCODE' | 'FRAME_TOO_LARGE' = 'ENCODE',
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
  }
}

/** Bytes that are no valid value. */
export class DecodeFailure extends Error {
  override readonly name = 'DecodeFailure';
  readonly code = 'PROTOCOL';

  /**
   * @param message which rule the bytes break
   * @param offset position in the buffer, in bytes, of what broke the rule
   */
  constructor(
    message: string,
    readonly offset: number,
    options?: { readonly cause?: unknown },
  ) {
    super(`${message} at byte ${offset}`, options);
  }
}
