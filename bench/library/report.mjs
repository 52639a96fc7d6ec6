/** Turns the results of the passes into tables: first the targets, then every figure. */

import { pairedRatio, summary } from './statistics.mjs';

/** What each entrant is compared with, unless the workload has no such entrant. */
const REFERENCE = 'standin';

/**
 * The targets that the results speak of:
 * `[{ workload, entrant, text, pass, figure, shown, ok }]`.
 */
export function judge(workloads, passes) {
  const verdicts = [];
  for (const workload of workloads) {
    for (const target of workload.targets) {
      for (const [pass, limit] of Object.entries(target.limits)) {
        const outcome = passes[pass]?.results.find(({ id }) => id === workload.id);
        if (outcome === undefined) continue;
        const results = new Map(outcome.entrants.map((entrant) => [entrant.id, entrant]));
        const figure = results.has(target.entrant) ? target.read(results) : null;
        if (figure === null) continue;
        verdicts.push({
          workload: workload.id,
          entrant: target.entrant,
          text: target.text(limit),
          pass,
          figure,
          shown: target.show(figure),
          ok: target.holds(figure, limit),
        });
      }
    }
  }
  return verdicts;
}

/** The table of targets. */
export function targetTable(workloads, verdicts, { markdown }) {
  const lines = [['workload', 'contender', 'pass', 'target', 'reached', '']];
  for (const { workload, entrant, pass, text, shown, ok } of verdicts) {
    const { title } = workloads.find(({ id }) => id === workload);
    lines.push([title, entrant, pass, text, shown, ok ? 'ok' : 'MISS']);
  }
  return table(lines, markdown);
}

/** The table of figures of one workload: a line for each entrant, columns for each pass. */
export function figureTable(workload, passes, { markdown }) {
  const names = Object.keys(passes).filter((pass) => workload.passes.includes(pass));
  const outcomes = names.map((pass) => passes[pass].results.find(({ id }) => id === workload.id));
  const ids = [...new Set(outcomes.flatMap((outcome) => outcome.entrants.map(({ id }) => id)))];
  const heading = names.flatMap((pass) => [
    `${pass}, ${workload.unit}`,
    'quartiles',
    `× ${REFERENCE}`,
  ]);
  const lines = [['', ...heading, '']];
  for (const id of ids) {
    const entrants = outcomes.map((outcome) =>
      outcome.entrants.find((entrant) => entrant.id === id),
    );
    const known = entrants.find((entrant) => entrant !== undefined);
    const cells = outcomes.flatMap((outcome, index) =>
      figureCells(workload, outcome, entrants[index]),
    );
    lines.push([known.title, ...cells, known.note ?? '']);
  }
  return table(lines, markdown);
}

/** What was not measured, and why: `title (pass): reason` a line. */
export function gaps(workload, passes) {
  return Object.entries(passes).flatMap(([pass, { results }]) => {
    const outcome = results.find(({ id }) => id === workload.id);
    return (outcome?.failures ?? []).map(({ title, reason }) => `${title} (${pass}): ${reason}`);
  });
}

/** A ratio says something of times; of memory, and of its growth above all, it says nothing. */
function figureCells({ unit }, outcome, entrant) {
  if (entrant === undefined || entrant.turns.length === 0) return ['–', '', ''];
  const { median, lower, upper } = summary(entrant.turns);
  const reference = outcome.entrants.find(({ id }) => id === REFERENCE);
  const ratio =
    reference === undefined || unit === 'MiB'
      ? ''
      : pairedRatio(entrant.turns, reference.turns).median;
  return [
    number(median),
    `${number(lower)}–${number(upper)}`,
    ratio === '' ? '' : ratio.toFixed(ratio < 0.1 ? 3 : 2),
  ];
}

/** Three significant digits, and no more than the figure deserves. */
function number(value) {
  const magnitude = Math.abs(value);
  if (magnitude >= 100) return Math.round(value).toLocaleString('en');
  return value.toFixed(magnitude >= 10 ? 1 : 2);
}

function table(lines, markdown) {
  const used = lines[0].map((_cell, column) => lines.slice(1).some((line) => line[column] !== ''));
  const kept = lines.map((line) => line.filter((_cell, column) => used[column]));
  if (markdown) {
    const [heading, ...rest] = kept.map((line) => `| ${line.join(' | ')} |`);
    const rule = `|${kept[0].map(() => ' --- ').join('|')}|`;
    return [heading, rule, ...rest].join('\n');
  }
  const widths = kept[0].map((_cell, column) =>
    Math.max(...kept.map((line) => line[column].length)),
  );
  return kept
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
