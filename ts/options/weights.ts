import { number } from './checks.js';
import { refusal } from './invalid.js';

/** What one is in the engine's whole numbers. */
const UNIT = 1000;

/**
 * Shares of the calls under the strategy `weighted`, one for each place of the pool: `[3, 1]` sends
 * three of four calls to the first worker and whoever replaces it. Places without a weight have 1.
 */
export type WeightsOption = readonly number[];

/** @throws unless each is a number from 0.001 to 1000000 */
export function normalizeWeights(value: unknown = []): number[] {
  if (!Array.isArray(value)) throw refusal('weights', 'an array of numbers', value);
  return value.map((weight: unknown, place) =>
    Math.round(number(`weights[${place}]`, weight, 0.001, 1e6) * UNIT),
  );
}
