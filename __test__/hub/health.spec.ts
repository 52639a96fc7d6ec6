/** When a group passes a pool over and when it tries it again, on a clock of its own. */

import { describe, expect, test } from '@jest/globals';
import {
  PythonError,
  TimeoutError,
  ValidationError,
  WorkerExitedError,
} from '../../ts/errors/index.js';
import { Health, type Outcome, outcomeOf } from '../../ts/hub/health.js';

let now = 0;

function create(failures = 3, resetMs = 100): Health {
  now = 0;
  return new Health({ failures, resetMs }, () => now);
}

function say(health: Health, ...outcomes: Outcome[]): void {
  for (const outcome of outcomes) health.begin()(outcome);
}

describe('a pool', () => {
  test('is passed over after so many failures in a row', () => {
    const health = create();
    say(health, 'fails', 'fails', 'works', 'fails', 'unknown', 'fails');
    expect(health.isFit).toBe(true);
    say(health, 'fails');
    expect(health.isFit).toBe(false);
  });

  test('is tried by one call when its time is over, which brings it back', () => {
    const health = create(1);
    say(health, 'fails');
    now = 99;
    expect(health.isFit).toBe(false);
    now = 100;
    expect(health.isFit).toBe(true);
    const end = health.begin();
    expect(health.isFit).toBe(false);
    end('works');
    expect(health.isFit).toBe(true);
    now = 101;
    say(health, 'unknown');
    expect(health.isFit).toBe(true);
  });

  test('rests anew when that call fails', () => {
    const health = create(1);
    say(health, 'fails');
    now = 150;
    say(health, 'fails');
    now = 249;
    expect(health.isFit).toBe(false);
    now = 250;
    expect(health.isFit).toBe(true);
  });

  test('may be tried again when that call said nothing', () => {
    const health = create(1);
    say(health, 'fails');
    now = 100;
    for (let attempt = 0; attempt < 5; attempt++) {
      const end = health.begin();
      expect(health.isFit).toBe(false);
      end('unknown');
      expect(health.isFit).toBe(true);
    }
  });

  test('is never passed over where that is switched off', () => {
    const health = create(Number.POSITIVE_INFINITY);
    say(health, ...new Array<Outcome>(1000).fill('fails'));
    expect(health.isFit).toBe(true);
  });
});

test.each([
  [new TimeoutError('late'), 'fails'],
  [new WorkerExitedError('gone'), 'fails'],
  [new PythonError('no'), 'works'],
  [new ValidationError('no'), 'works'],
  [new Error('aborted'), 'unknown'],
  ['a reason', 'unknown'],
])('%s: the pool %s', (reason, outcome) => {
  expect(outcomeOf(reason)).toBe(outcome);
});
