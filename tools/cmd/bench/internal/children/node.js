// The record processor on aws-kcl that bench protocol measures. It does the same as
// command ours, in the style of that package's samples.
'use strict';
const kcl = require('aws-kcl');

let records = 0;
let bytes = 0;

function checkpoint(input, done) {
  input.checkpointer.checkpoint((err) => {
    if (err) {
      throw new Error(`checkpoint: ${err}`);
    }
    done();
  });
}

kcl({
  initialize(input, done) {
    done();
  },
  processRecords(input, done) {
    for (const record of input.records) {
      records += 1;
      bytes += Buffer.from(record.data, 'base64').length;
    }
    checkpoint(input, done);
  },
  leaseLost(input, done) {
    done();
  },
  shardEnded: checkpoint,
  shutdownRequested: checkpoint,
}).run();
