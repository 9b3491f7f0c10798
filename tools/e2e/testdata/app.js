// What a user of Amazon's own client for Node.js writes. It notes what it gets in
// the files in which the worker of these tests does.
'use strict';
const fs = require('fs');
const kcl = require('aws-kcl');

// A SIGTERM for the daemon reaches its whole process group.
process.on('SIGTERM', () => {});

let shard;

function note(file, text) {
  fs.appendFileSync(file, text + '\n');
}

function checkpoint(input, done) {
  input.checkpointer.checkpoint((err) => {
    if (err) {
      note('events.txt', `refused ${shard} ${err}`);
    }
    done();
  });
}

kcl({
  initialize(input, done) {
    shard = input.shardId;
    note('events.txt', `initialize ${shard} node`);
    done();
  },
  processRecords(input, done) {
    for (const record of input.records) {
      note('records.txt', `${shard} ${record.sequenceNumber}`);
    }
    checkpoint(input, done);
  },
  leaseLost(input, done) {
    note('events.txt', `leaseLost ${shard} node`);
    done();
  },
  shardEnded: checkpoint,
  shutdownRequested: checkpoint,
}).run();
