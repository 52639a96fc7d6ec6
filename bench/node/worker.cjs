'use strict';

const { handler } = require('@himalaya-quant/synapse/worker');

handler('echo', (value) => value, { default: true });
