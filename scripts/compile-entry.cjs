const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { dirname } = require('node:path');
const { Script } = require('node:vm');
const { workerData } = require('node:worker_threads');

/*
 * A thread of bundle.mjs: runs a script as cached-entry.cjs does, and gives the code that V8 has made of it when it is
 * asked for it.
 */

const { file, code } = workerData;
const script = new Script(readFileSync(file, 'latin1'), { filename: file });
script.runInThisContext()(createRequire(file), file, dirname(file));
code.once('message', () => code.postMessage(script.createCachedData()));
