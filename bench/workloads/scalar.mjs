/**
 * The same with an integer. Here the bridges that give back proxies need no
 * second round trip: the best case of the peers, and so the fair one.
 */

import { unbeaten } from '../library/targets.mjs';
import { scalar as value } from '../library/values.mjs';
import { sequentialMedian } from './sequential.mjs';

export const scalar = {
  id: 'scalar',
  title: 'sequential call of an integer, p50',
  unit: 'µs',
  passes: ['pinned', 'free'],
  rounds: 9,
  shared: true,
  warmUpTurns: 4,
  check: value,
  accepts: ({ role }) => role !== 'floor',
  measure: (ctx) => sequentialMedian(ctx, value),
  targets: [unbeaten('synapse', { passes: ['pinned', 'free'], inProcess: false })],
};
