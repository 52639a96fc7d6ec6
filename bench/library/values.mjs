/** The values that the workloads send. Built once; every contender gets the same object. */

/** What the README of version 1.4 sends: 9 bytes of MessagePack. */
export const tiny = Object.freeze({ foo: 'bar' });

/** The best case of the bridges that give back scalars by value and all else as a proxy. */
export const scalar = 7;

/** About 1 KB of MessagePack: 20 rows of 4 fields. */
export const object = Object.freeze({
  rows: Array.from({ length: 20 }, (_, index) => ({
    id: index,
    name: `customer ${index}`,
    price: index * 1.25 + 0.5,
    paid: index % 2 === 0,
  })),
});

/** A reply as a report makes them: `count` rows of 5 fields. */
export function table(count) {
  return Array.from({ length: count }, (_, index) => ({
    id: index,
    name: `customer ${index}`,
    price: index * 1.25 + 0.5,
    paid: index % 2 === 0,
    note: index % 3 === 0 ? null : 'delivered to the back door',
  }));
}

/** `size` bytes that are not all alike. */
export function bytes(size) {
  const buffer = Buffer.allocUnsafe(size);
  for (let index = 0; index < size; index += 1) buffer[index] = (index * 31 + (index >> 8)) & 0xff;
  return buffer;
}
