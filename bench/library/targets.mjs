/**
 * What a workload promises. A target has limits for each pass it speaks of and
 * knows how to read its figure from the results of that pass: a map from
 * entrant to `{ turns }`, the figures in order of rounds.
 */

import { median, pairedRatio } from './statistics.mjs';

const STANDIN = 'standin';

/** `entrant` takes at most `limits[pass]` times as long as `against`. */
export function atMost(entrant, limits, against = STANDIN) {
  return {
    entrant,
    against,
    limits,
    text: (limit) => `≤ ${limit} × ${against}`,
    read: (results) => ratio(results, entrant, against),
    show: (figure) => `${figure.toFixed(2)} ×`,
    holds: (figure, limit) => figure <= limit,
  };
}

/** `entrant` is at least `limits[pass]` times as fast as `against`. */
export function faster(entrant, limits, against = STANDIN) {
  return {
    entrant,
    against,
    limits,
    text: (limit) => `≥ ${limit} × faster than ${against}`,
    read: (results) => ratio(results, against, entrant),
    show: (figure) => `${figure.toFixed(2)} × faster`,
    holds: (figure, limit) => figure >= limit,
  };
}

/** The figure of `entrant` itself is at most `limits[pass]`, in the unit of the workload. */
export function within(entrant, limits, unit) {
  return {
    entrant,
    against: null,
    limits,
    text: (limit) => `≤ ${limit} ${unit}`,
    read: (results) => (results.has(entrant) ? median(results.get(entrant).turns) : null),
    show: (figure) => `${figure.toFixed(1)} ${unit}`,
    holds: (figure, limit) => figure <= limit,
  };
}

/** `entrant` makes at least `limits[pass]` calls a second; `callsOver(figure)` says how many it makes. */
export function perSecond(entrant, limits, callsOver) {
  const rate = (figure) => `${Math.round(figure).toLocaleString('en')} calls/s`;
  return {
    entrant,
    against: null,
    limits,
    text: (limit) => `≥ ${rate(limit)}`,
    read: (results) =>
      results.has(entrant) ? callsOver(median(results.get(entrant).turns)) : null,
    show: rate,
    holds: (figure, limit) => figure >= limit,
  };
}

/** `entrant` gets to at least `limits[pass]` percent of a rate at which its figure would be `ideal`. */
export function ofIdeal(entrant, limits, ideal) {
  return {
    entrant,
    against: 'the ideal',
    limits,
    text: (limit) => `≥ ${limit} % of the ideal rate`,
    read: (results) =>
      results.has(entrant) ? (100 * ideal) / median(results.get(entrant).turns) : null,
    show: (figure) => `${figure.toFixed(1)} %`,
    holds: (figure, limit) => figure >= limit,
  };
}

/** The figure of `entrant` is at most `limits[pass]` more than that of `against`. */
export function above(entrant, limits, against, unit) {
  return {
    entrant,
    against,
    limits,
    text: (limit) => `≤ ${against} + ${limit} ${unit}`,
    read: (results) => {
      if (!results.has(entrant) || !results.has(against)) return null;
      return median(results.get(entrant).turns) - median(results.get(against).turns);
    },
    show: (figure) => `+ ${figure.toFixed(1)} ${unit}`,
    holds: (figure, limit) => figure <= limit,
  };
}

/** No peer is faster than `entrant`; `inProcess: false` leaves out those without a process border. */
export function unbeaten(entrant, { passes, inProcess = true }) {
  return {
    entrant,
    against: 'every peer',
    limits: Object.fromEntries(passes.map((pass) => [pass, 1])),
    text: () => `no ${inProcess ? '' : 'out-of-process '}peer faster`,
    read: (results) => {
      const ratios = [...results.values()]
        .filter((result) => result.role === 'peer' && (inProcess || !result.inProcess))
        .map((result) => ratio(results, entrant, result.id))
        .filter((figure) => figure !== null);
      return ratios.length === 0 ? null : Math.max(...ratios);
    },
    show: (figure) => `${figure.toFixed(2)} × the fastest`,
    holds: (figure, limit) => figure <= limit,
  };
}

function ratio(results, numerator, denominator) {
  if (!results.has(numerator) || !results.has(denominator)) return null;
  return pairedRatio(results.get(numerator).turns, results.get(denominator).turns).median;
}
