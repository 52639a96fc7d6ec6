/** What is not built yet is refused by name; a row goes when its feature comes. */

import { describe, expect, test } from '@jest/globals';
import {
  checkSpawnOptions,
  InvalidOptionError,
  type SpawnOptions,
} from '../../ts/options/index.js';
import { UNSUPPORTED_SPAWN } from '../../ts/options/unsupported.js';

/** For each row of the table: a wish that is refused, and one that asks for nothing and is not. */
const spawn: Record<string, [SpawnOptions, SpawnOptions]> = {
  'limits.memory': [{ limits: { memory: 2 ** 30 } }, { limits: { depth: 5 } }],
  'limits.cpu': [{ limits: { cpu: 5 } }, { limits: {} }],
  'limits.files': [{ limits: { files: 64 } }, { limits: { files: undefined } }],
};

describe('an option of spawn', () => {
  test('is tried for every row of the table', () => {
    expect(Object.keys(spawn)).toEqual(Object.keys(UNSUPPORTED_SPAWN));
  });

  test.each(Object.entries(spawn))('%s', (name, [refused, accepted]) => {
    expect(() => checkSpawnOptions(refused)).toThrow(
      new InvalidOptionError(`option "${name}" is not supported yet`),
    );
    expect(() => checkSpawnOptions(accepted)).not.toThrow();
  });

  test('has a code of its own, so that it is no wrong value', () => {
    expect(() => checkSpawnOptions({ limits: { files: 64 } })).toThrow(
      expect.objectContaining({ code: 'ERR_UNSUPPORTED_OPTION' }),
    );
  });

  test('that is wrong as well is told to be wrong', () => {
    expect(() => checkSpawnOptions({ strategy: 'fast' as 'fastest' })).toThrow(
      'option "strategy" must be',
    );
  });
});
