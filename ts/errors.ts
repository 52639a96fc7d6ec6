/** The errors, under the name that the sources import them by. */

export * from './errors/index.js';
