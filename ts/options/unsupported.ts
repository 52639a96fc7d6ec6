/**
 * What the options can say already and nothing does yet. Such a wish is refused instead of ignored.
 * An entry goes when its feature comes.
 */

import { InvalidOptionError } from './invalid.js';
import type { SpawnOptions } from './spawn.js';

/** Whether the options, which are valid, ask for what cannot be done. */
type Asks<Options> = (options: Options) => boolean;

type Table<Options> = Readonly<Record<string, Asks<Options>>>;

/** Options of `spawn`, by the name that the message gives. Asking for the default is fine. */
export const UNSUPPORTED_SPAWN: Table<SpawnOptions> = {
  'limits.memory': ({ limits }) => limits?.memory !== undefined,
  'limits.cpu': ({ limits }) => limits?.cpu !== undefined,
  'limits.files': ({ limits }) => limits?.files !== undefined,
};

/** @throws InvalidOptionError that names the first option that asks for what cannot be done */
export function refuseUnsupported<Options>(table: Table<Options>, options: Options): void {
  for (const [name, asks] of Object.entries(table)) {
    if (asks(options)) {
      const message = `option "${name}" is not supported yet`;
      throw new InvalidOptionError(message, 'ERR_UNSUPPORTED_OPTION');
    }
  }
}
