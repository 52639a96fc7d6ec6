/** The examples of docs/cancellation.md do what they say. */

import { test } from '@jest/globals';
import { runPage } from '../support/page.js';

test('the example', () => runPage('cancellation.md', { graceMs: 15_000, concurrency: 4 }));
