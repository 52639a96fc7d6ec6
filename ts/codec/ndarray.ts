/** Arrays of numbers with a shape: what numpy calls `ndarray`. */

/** Any typed array. `Float16Array` is accepted too where the runtime has it. */
export type TypedArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/** Dimensions that numpy allows. */
export const MAXIMUM_DIMENSIONS = 64;

/** An element's type, in numpy's notation without the byte order mark. */
export type Dtype =
  | 'b1'
  | 'i1'
  | 'u1'
  | 'i2'
  | 'u2'
  | 'i4'
  | 'u4'
  | 'i8'
  | 'u8'
  | 'f2'
  | 'f4'
  | 'f8'
  | 'c8'
  | 'c16';

/** How elements lie in memory: `C`, the last index runs fastest; `F`, the first. */
export type MemoryOrder = 'C' | 'F';

interface Layout {
  /** Bytes of one element. */
  readonly size: number;
  /** Items of the typed array that make one element: 2 for complex numbers. */
  readonly items: number;
  /** Whether one dimension of it decodes to the bare typed array. */
  readonly native: boolean;
  /** An array over bytes that begin at an aligned offset. */
  readonly view: (buffer: ArrayBufferLike, offset: number, items: number) => TypedArray;
}

/** Every type of element that crosses, and the typed array that holds it in JavaScript. */
export const LAYOUTS: Readonly<Record<Dtype, Layout>> = {
  b1: {
    size: 1,
    items: 1,
    native: true,
    view: (buffer, offset, items) => new Uint8Array(buffer, offset, items),
  },
  i1: {
    size: 1,
    items: 1,
    native: true,
    view: (buffer, offset, items) => new Int8Array(buffer, offset, items),
  },
  u1: {
    size: 1,
    items: 1,
    native: true,
    view: (buffer, offset, items) => new Uint8Array(buffer, offset, items),
  },
  i2: {
    size: 2,
    items: 1,
    native: true,
    view: (buffer, offset, items) => new Int16Array(buffer, offset, items),
  },
  u2: {
    size: 2,
    items: 1,
    native: true,
    view: (buffer, offset, items) => new Uint16Array(buffer, offset, items),
  },
  i4: {
    size: 4,
    items: 1,
    native: true,
    view: (buffer, offset, items) => new Int32Array(buffer, offset, items),
  },
  u4: {
    size: 4,
    items: 1,
    native: true,
    view: (buffer, offset, items) => new Uint32Array(buffer, offset, items),
  },
  i8: {
    size: 8,
    items: 1,
    native: true,
    view: (buffer, offset, items) => new BigInt64Array(buffer, offset, items),
  },
  u8: {
    size: 8,
    items: 1,
    native: true,
    view: (buffer, offset, items) => new BigUint64Array(buffer, offset, items),
  },
  f2: {
    size: 2,
    items: 1,
    native: false,
    view: (buffer, offset, items) => new Uint16Array(buffer, offset, items),
  },
  f4: {
    size: 4,
    items: 1,
    native: true,
    view: (buffer, offset, items) => new Float32Array(buffer, offset, items),
  },
  f8: {
    size: 8,
    items: 1,
    native: true,
    view: (buffer, offset, items) => new Float64Array(buffer, offset, items),
  },
  c8: {
    size: 8,
    items: 2,
    native: false,
    view: (buffer, offset, items) => new Float32Array(buffer, offset, items),
  },
  c16: {
    size: 16,
    items: 2,
    native: false,
    view: (buffer, offset, items) => new Float64Array(buffer, offset, items),
  },
};

/** What each typed array may hold; the first is what it holds unless told otherwise. */
const DTYPES: Readonly<Record<string, readonly [Dtype, ...Dtype[]]>> = {
  Int8Array: ['i1'],
  Uint8Array: ['u1', 'b1'],
  Uint8ClampedArray: ['u1'],
  Int16Array: ['i2'],
  Uint16Array: ['u2', 'f2'],
  Int32Array: ['i4'],
  Uint32Array: ['u4'],
  BigInt64Array: ['i8'],
  BigUint64Array: ['u8'],
  Float16Array: ['f2'],
  Float32Array: ['f4', 'c8'],
  Float64Array: ['f8', 'c16'],
};

const tagOf = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype) as object,
  Symbol.toStringTag,
)?.get as (this: unknown) => string | undefined;

/** The name of a typed array's class, whatever the realm or subclass; `undefined` for others. */
export function typedArrayName(value: unknown): string | undefined {
  return tagOf.call(value);
}

/** The type of the elements of a typed array, or `undefined` if no numpy type fits. */
export function dtypeOf(data: TypedArray): Dtype | undefined {
  return DTYPES[typedArrayName(data) ?? '']?.[0];
}

/** Whether a text from the wire names a type that crosses. */
export function isDtype(text: unknown): text is Dtype {
  return typeof text === 'string' && Object.hasOwn(LAYOUTS, text);
}

/** The number of elements of a shape. */
export function elementCount(shape: readonly number[]): number {
  return shape.includes(0) ? 0 : shape.reduce((product, extent) => product * extent, 1);
}

/** Options of {@link ndarray}. */
export interface NdArrayOptions {
  /** How the elements lie in `data`; default `C`. */
  readonly order?: MemoryOrder;
  /**
   * The type of the elements; default the typed array's own. `b1` reads a `Uint8Array` as booleans,
   * `f2` a `Uint16Array` as the bits of float 16, `c8` and `c16` a `Float32Array` or `Float64Array`
   * as pairs of real and imaginary part.
   */
  readonly dtype?: Dtype;
}

/**
 * An array with a shape. Made by {@link ndarray}; also what a numpy array decodes to that is not
 * one-dimensional, or whose elements no typed array of JavaScript stands for.
 */
export class NdArray {
  /** The elements; bits of float 16 as `Uint16Array`, complex numbers as pairs. */
  readonly data: TypedArray;
  /** The extent of each dimension; `[]` is a single element without dimensions. */
  readonly shape: readonly number[];
  /** How the elements lie in `data`. */
  readonly order: MemoryOrder;
  /** The type of the elements. */
  readonly dtype: Dtype;

  /** As {@link ndarray}, which is shorter. */
  constructor(data: TypedArray, shape?: readonly number[], options: NdArrayOptions = {}) {
    const allowed = DTYPES[typedArrayName(data) ?? ''];
    if (allowed === undefined) throw new TypeError('ndarray needs a typed array as data');
    const dtype = options.dtype ?? allowed[0];
    if (!allowed.includes(dtype)) {
      throw new TypeError(`dtype ${dtype} does not fit ${typedArrayName(data)}`);
    }
    const order = options.order ?? 'C';
    if (order !== 'C' && order !== 'F') {
      throw new TypeError(`order must be "C" or "F", got ${JSON.stringify(order)}`);
    }
    const elements = data.length / LAYOUTS[dtype].items;
    const extents = shape === undefined ? [elements] : [...shape];
    if (extents.length > MAXIMUM_DIMENSIONS) {
      throw new RangeError(`shape has ${extents.length} dimensions, at most ${MAXIMUM_DIMENSIONS}`);
    }
    for (const extent of extents) {
      if (!Number.isSafeInteger(extent) || extent < 0) {
        throw new RangeError(`shape [${extents.join(', ')}] has an extent that is no whole number`);
      }
    }
    if (elementCount(extents) !== elements) {
      throw new RangeError(`shape [${extents.join(', ')}] does not hold ${elements} elements`);
    }
    this.data = data;
    this.shape = Object.freeze(extents);
    this.order = order;
    this.dtype = dtype;
  }
}

/** Whether the data still fills the shape: not so once its memory was moved to another thread. */
export function isFilled(array: NdArray): boolean {
  return array.data.byteLength === elementCount(array.shape) * LAYOUTS[array.dtype].size;
}

/**
 * Gives a typed array a shape, so that it reaches Python as a `numpy.ndarray` of that shape. The
 * data is not copied.
 *
 * @param shape the extent of each dimension; default one dimension
 * @throws TypeError if `data` is no typed array, or its class cannot hold `options.dtype`
 * @throws RangeError if the shape does not hold exactly the elements of `data`
 */
export function ndarray(
  data: TypedArray,
  shape?: readonly number[],
  options: NdArrayOptions = {},
): NdArray {
  return new NdArray(data, shape, options);
}
