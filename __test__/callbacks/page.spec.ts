/** The examples of docs/callbacks.md do what they say. */

import { test } from '@jest/globals';
import { runPage } from '../support/page.js';

test('the example', () => runPage('callbacks.md'));
