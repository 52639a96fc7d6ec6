/** The Python side of the property tests. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The module's source. */
export const PYTHON = readFileSync(join(__dirname, 'property.py'), 'utf8');
