// Builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer in a folder of its own, and runs the tests
// that use it, in the ordinary node with the sanitizers' runtime preloaded. Run as
// `node test/native/sanitized/run.mjs [FILE…]`.
import { spawn, spawnSync } from 'node:child_process';
import console from 'node:console';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { isOurs, readReports } from './reports.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const folder = join(root, 'out', 'sanitized');

/** Everything in `npm test` that goes through the addon, short of whole daemons. */
const TESTS = [
  'test/native/**/*.test.ts',
  'test/hazards/**/*.test.ts',
  'test/ring/**/*.test.ts',
  'test/handlers/file/**/*.test.ts',
  'test/target/tcm-user-netlink.test.ts',
  'test/daemon/journal-file.test.ts',
  'test/daemon/watchdog-ping.test.ts',
  'test/daemon/control/**/*.test.ts',
];

// vptr needs type information, which node builds addons without.
const FLAGS =
  '-fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g';

/** Milliseconds. */
const BUILD_TIMEOUT = 600_000;
const TEST_TIMEOUT = 900_000;

/** node-gyp builds where binding.gyp is: so a folder that has it, and links to all it names. */
function build() {
  mkdirSync(folder, { recursive: true });
  for (const name of ['binding.gyp', 'native', 'package.json']) {
    if (!existsSync(join(folder, name))) symlinkSync(join('..', '..', name), join(folder, name));
  }
  const env = { ...process.env, CXXFLAGS: `${process.env.CXXFLAGS ?? ''} ${FLAGS}`, LDFLAGS: FLAGS };
  // The headers of the system's Node, where it has some: node-gyp would download them.
  if (env.npm_config_nodedir === undefined && existsSync('/usr/include/node/node_api.h')) {
    env.npm_config_nodedir = '/usr';
  }
  const gyp = join(root, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js');
  const args = [gyp, 'configure', 'build', '--silent'];
  const result = spawnSync(process.execPath, args, {
    cwd: folder,
    env,
    encoding: 'utf8',
    timeout: BUILD_TIMEOUT,
  });
  if (result.status !== 0) throw new Error(`the build failed:\n${result.stdout}${result.stderr}`);
}

/** node itself is not instrumented, so the runtime must be there before it; and the C++ library before that hooks. */
function preloads() {
  return ['libasan.so', 'libubsan.so', 'libstdc++.so'].map((name) => {
    const { stdout } = spawnSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' });
    const path = stdout?.trim() ?? '';
    // g++ answers with the bare name where it has no such file.
    if (!path.startsWith('/'))
      throw new Error(`there is no ${name}: install g++ with its libgcc-*-dev package`);
    return path;
  });
}

function sanitizerEnvironment(reports) {
  const options = [
    `log_path=${join(reports, 'report')}`,
    // A test asks for more than there is, to see it refused.
    'allocator_may_return_null=1',
    // V8 and Node have handlers of their own.
    'allow_user_segv_handler=1',
    'detect_stack_use_after_return=1',
    'strict_string_checks=1',
    // What node leaves to the end of its process counts as leaked, in programs that the tests start as well: a leak is
    // judged by its report, everything else ends the process.
    'detect_leaks=1',
    'exitcode=0',
    'abort_on_error=1',
    'stack_trace_format="    #%n %m %F %L"',
  ];
  return {
    ...process.env,
    LUNETTE_PREBUILD: folder,
    LD_PRELOAD: preloads().join(' '),
    ASAN_OPTIONS: options.join(':'),
    UBSAN_OPTIONS: 'print_stacktrace=1',
  };
}

/** @returns what mocha counted */
async function test(files, env) {
  const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
  const child = spawn(
    process.execPath,
    [mocha, '--config', join(dirname(fileURLToPath(import.meta.url)), 'mocharc.json'), ...files],
    { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'], timeout: TEST_TIMEOUT, killSignal: 'SIGKILL' },
  );
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
    process.stdout.write(text);
  });
  const how = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal ?? code));
  });
  const count = (word) => Number(new RegExp(`^ +(\\d+) ${word}`, 'm').exec(output)?.[1] ?? 0);
  const counts = { passed: count('passing'), failed: count('failing'), skipped: count('pending') };
  if (counts.failed === 0 && (how !== 0 || counts.passed === 0)) {
    console.error(`mocha ended with ${how}, after ${counts.passed} tests`);
    counts.failed = 1;
  }
  return counts;
}

const reports = mkdtempSync(join(tmpdir(), 'lunette-sanitized-'));
try {
  build();
  const files = process.argv.slice(2);
  const counts = await test(files.length > 0 ? files : TESTS, sanitizerEnvironment(reports));
  const texts = readdirSync(reports).map((name) => readFileSync(join(reports, name), 'utf8'));
  const all = readReports(texts.join('\n'));
  const ours = all.filter(isOurs);
  for (const report of ours) console.log(`\n${report.text}`);
  console.log(`\n${texts.length} processes reported ${all.length} blocks, ${ours.length} of the addon's own`);
  const failed = counts.failed + ours.length;
  console.log(`${counts.passed} passed, ${failed} failed, ${counts.skipped} skipped`);
  process.exitCode = failed === 0 ? 0 : 1;
} catch (error) {
  console.error(error.message);
  console.log('0 passed, 1 failed, 0 skipped');
  process.exitCode = 1;
} finally {
  rmSync(reports, { recursive: true, force: true });
}
