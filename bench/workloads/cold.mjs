/**
 * From `spawn` on a directory without an environment to the first reply, with
 * `msgpack` as the only requirement. All that is installed lies in a local
 * directory of wheels, so that the network is not measured, and the first
 * turn, which fills the installers' caches, does not count.
 */

import { mkdirSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { directoryOf, localWheels, uvDirectory } from '../library/house.mjs';
import { atMost } from '../library/targets.mjs';
import { tiny } from '../library/values.mjs';

let turns = 0;

export const cold = {
  id: 'cold',
  title: 'cold spawn to the first reply (requirement: msgpack)',
  unit: 'ms',
  passes: ['free'],
  rounds: 3,
  shared: false,
  accepts: ({ capabilities }) => capabilities.cold,
  variants({ id, title, role }) {
    if (role !== 'synapse') return [{ id, title: `${title}, pip`, options: {} }];
    return ['uv', 'pip'].map((installer) => ({
      id: `${id}-${installer}`,
      title: `${title}, ${installer}`,
      options: { installer },
    }));
  },
  /** The variables that the turns run with, and the wheels that they point at. */
  async prepare() {
    const ids = ['synapse', 'synapse-classic', 'standin'];
    const wheels = await localWheels(ids.map((id) => join(directoryOf(id), '.venv')));
    return { ...wheels, PATH: [uvDirectory(), process.env.PATH].join(delimiter) };
  },
  async measure({ Contender, options, prepared }) {
    turns += 1;
    const directory = join(directoryOf('cold'), `${process.pid}-${turns}`);
    mkdirSync(directory, { recursive: true });
    const contender = new Contender({ ...options, directory });
    const before = { ...process.env };
    Object.assign(process.env, prepared);
    try {
      const begin = performance.now();
      await contender.start();
      await contender.call(tiny);
      const duration = performance.now() - begin;
      await contender.stop();
      return duration;
    } finally {
      for (const name of Object.keys(prepared)) delete process.env[name];
      Object.assign(process.env, before);
      rmSync(directory, { recursive: true, force: true });
    }
  },
  targets: [
    atMost('synapse-pip', { free: 0.6 }),
    atMost('synapse-uv', { free: 0.2 }),
    atMost('synapse-classic-pip', { free: 0.6 }),
    atMost('synapse-classic-uv', { free: 0.2 }),
  ],
};
