const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { dirname } = require('node:path');
const process = require('node:process');
const { Script, constants } = require('node:vm');

/*
 * What bundle.mjs puts in the place of an entry that is joined into one script: runs that script with the code that V8
 * made of it at build time. Another Node finds none, and one with other flags does not take it: it makes it anew.
 */

const file = require.resolve('BUNDLE');
let cachedData;
try {
  cachedData = readFileSync(`${file}.${process.version}-${process.arch}.cache`);
} catch {
  // Slower, and no more.
}
const script = new Script(readFileSync(file, 'latin1'), {
  filename: file,
  cachedData,
  importModuleDynamically: constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});
script.runInThisContext()(createRequire(file), file, dirname(file));
