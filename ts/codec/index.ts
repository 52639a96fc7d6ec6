/** The value codec: what crosses to Python and back, as MessagePack. */

export { Decoder, type DecoderOptions } from './decoder.js';
export type {
  BytesBorrower,
  BytesLender,
  ExtensionDecoder,
  ExtensionEncoder,
  ExtensionValue,
} from './extension.js';
export { DecodeFailure, EncodeFailure } from './failures.js';
export {
  type Dtype,
  type MemoryOrder,
  NdArray,
  type NdArrayOptions,
  ndarray,
  type TypedArray,
} from './ndarray.js';
export { Writer, type WriterOptions } from './writer.js';
