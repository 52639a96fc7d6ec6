/** The golden bytes of values, as `__test__/vectors/values.json` has them; the build copies that file. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

type Pieces = string | readonly (string | readonly [string, number])[];

/** A value's name and its bytes. */
export interface Vector {
  readonly name: string;
  readonly bytes: Buffer;
}

/** All of them. */
export function readVectors(): Vector[] {
  const text = readFileSync(join(__dirname, '..', '..', 'vectors.json'), 'utf8');
  const { values } = JSON.parse(text) as { values: { name: string; hex: Pieces }[] };
  return values.map(({ name, hex }) => ({ name, bytes: Buffer.from(joined(hex), 'hex') }));
}

function joined(pieces: Pieces): string {
  if (typeof pieces === 'string') return pieces;
  return pieces
    .map((piece) => (typeof piece === 'string' ? piece : piece[0].repeat(piece[1])))
    .join('');
}
