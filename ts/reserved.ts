/** How the names begin that are kept for what every host and every worker answers by itself. */
export const RESERVED = 'synapse.';
