'use strict';
const { appendFileSync } = require('node:fs');

/** Mocha's events as lines of JSON, for the host to follow while the guest runs. */
module.exports = class EventReporter {
  constructor(runner) {
    const send = (event) => appendFileSync('/lab/events', `${JSON.stringify(event)}\n`);
    const about = (test) => ({
      title: test.fullTitle(),
      suite: test.parent?.fullTitle() ?? '',
      test: test.title,
    });
    runner.on('suite', (suite) => suite.title && send({ kind: 'suite', title: suite.fullTitle() }));
    runner.on('pass', (test) => send({ kind: 'passed', ...about(test), milliseconds: test.duration }));
    runner.on('pending', (test) => send({ kind: 'skipped', ...about(test) }));
    // A failing hook is a failure too; the tests that it keeps from running are not counted.
    runner.on('fail', (test, error) =>
      send({
        kind: 'failed',
        ...about(test),
        milliseconds: test.duration ?? 0,
        error: error.stack ?? String(error),
      }),
    );
    runner.on('end', () => send({ kind: 'end' }));
  }
};
