/**
 * The workloads, in the order of the tables. To add one, write a file that
 * exports an object of this shape, and name it here:
 *
 *   id, title, unit           `unit` of the figures; lower is better, always
 *   passes                    of 'pinned' and 'free'
 *   rounds                    how many turns each entrant takes, by default
 *   shared                    true: each entrant is up for all rounds; false: `measure` starts it
 *   warmUpTurns?              turns before the first round that do not count; 1 by default
 *   fresh?                    true: up for one turn, in a new Node process each time
 *   accepts(Contender)        whether the contender can do this at all
 *   variants?(Contender)      several entrants of one contender: [{ id, title, options }]
 *   references?               entrants that are no contenders: [{ id, title, measure(ctx) }]
 *   prepare?()                once, before the first round; what it gives is `ctx.prepared`
 *   check?                    a value that a shared entrant must echo, before the first round
 *   measure(ctx)              one turn; gives the figure. ctx: { Contender, contender (started,
 *                             if shared), options, quick, prepared }
 *   note?(Contender, ctx)     what the table must say about how it was measured, or null
 *   targets                   see library/targets.mjs
 */

import { asyncWorkers } from './async-workers.mjs';
import { burstObject } from './burst-object.mjs';
import { burstTiny } from './burst-tiny.mjs';
import { bytes } from './bytes.mjs';
import { callback } from './callback.mjs';
import { cold } from './cold.mjs';
import { cpuBound } from './cpu-bound.mjs';
import { dispose } from './dispose.mjs';
import { drift } from './drift.mjs';
import { idle } from './idle.mjs';
import { numpyDot } from './numpy-dot.mjs';
import { poolStarts } from './pool-starts.mjs';
import { pool4, pool16 } from './pools.mjs';
import { rows } from './rows.mjs';
import { scalar } from './scalar.mjs';
import { stream1m } from './stream-1m.mjs';
import { tiny } from './tiny.mjs';
import { warm } from './warm.mjs';

export const workloads = [
  tiny,
  scalar,
  burstTiny,
  burstObject,
  rows,
  bytes,
  numpyDot,
  stream1m,
  callback,
  pool4,
  pool16,
  asyncWorkers,
  cpuBound,
  poolStarts,
  warm,
  cold,
  dispose,
  drift,
  idle,
];
