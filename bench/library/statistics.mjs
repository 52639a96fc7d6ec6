/**
 * Order statistics. Means are not offered on purpose: one pause of the machine
 * would move them, and a bench that shares its cores sees many.
 */

/** The value below which `fraction` (0 to 1) of `numbers` lie, interpolated. */
export function quantile(numbers, fraction) {
  if (numbers.length === 0) throw new Error('cannot take a quantile of no numbers');
  const sorted = Float64Array.from(numbers).sort();
  const position = (sorted.length - 1) * fraction;
  const below = Math.floor(position);
  const above = Math.ceil(position);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
}

/** The middle of `numbers`. */
export function median(numbers) {
  return quantile(numbers, 0.5);
}

/** Median with the quartiles beside it: what every figure of the bench is shown as. */
export function summary(numbers) {
  return {
    median: median(numbers),
    lower: quantile(numbers, 0.25),
    upper: quantile(numbers, 0.75),
  };
}

/**
 * Summary of `numerators[i] / denominators[i]`. Both were measured in the same
 * round, seconds apart, so that what slowed one slowed the other: this ratio
 * is steadier than the ratio of the two medians.
 */
export function pairedRatio(numerators, denominators) {
  const length = Math.min(numerators.length, denominators.length);
  const ratios = [];
  for (let index = 0; index < length; index += 1) {
    ratios.push(numerators[index] / denominators[index]);
  }
  return summary(ratios);
}
