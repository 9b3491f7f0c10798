// What a user of Amazon's own client for Node.js writes. It notes what it gets in
// the files in which the worker of these tests does.
'use strict';
const fs = require('fs');
const kcl = require('aws-kcl');

// Amazon's main class passes a SIGTERM on to its children, before they are to stop.
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
    if (input.records.length > 0 && fs.existsSync(`fail.${shard}`)) {
      fs.unlinkSync(`fail.${shard}`);
      process.exit(3);
    }
    for (const record of input.records) {
      note('records.txt', `${shard} ${record.sequenceNumber}`);
    }
    checkpoint(input, done);
  },
  leaseLost(input, done) {
    note('events.txt', `leaseLost ${shard} node`);
    done();
  },
  shardEnded(input, done) {
    note('events.txt', `shardEnded ${shard} node`);
    checkpoint(input, done);
  },
  shutdownRequested: checkpoint,
}).run();
