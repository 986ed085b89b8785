import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath, URL } from 'node:url';
import { MessageChannel, Worker } from 'node:worker_threads';
import { build } from 'esbuild';

/*
 * `npm run build`, after tsc: joins the modules that a process or a thread loads into a few files, and has the first
 * file of each load those. Node takes longer to find, read and link a hundred small modules than to run them, and keeps
 * 5 MiB for them in each thread.
 *
 * All entry points are joined at once, so that each module is in one file only, whoever loads it first: a handler's
 * `import … from 'lunette'` gets the SenseError class that the daemon knows.
 *
 *   node scripts/bundle.mjs [DIST]
 */

const checkout = fileURLToPath(new URL('..', import.meta.url));
const source = join(checkout, 'src');
const dist = process.argv[2] ?? join(checkout, 'dist');

/** Below src/ and dist/, without extension: first files of processes and threads, and of package.json's `exports`. */
const entries = [
  'cli/main',
  'daemon/host/process-entry',
  'daemon/host/thread-entry',
  'daemon/loop/watcher-entry',
  'index',
  'client/index',
  'scsi/index',
  'testing/index',
];

/**
 * Of threads that serve handlers of Lunette's own, which there may be many of: all of it in one file, as nothing else is
 * loaded there that could share a module. A script, no module: of Node's loader for those, each thread would have its
 * own.
 */
const alone = 'daemon/host/built-in-thread-entry';

/** Packages that are joined, too, with what they use. Of zod, most is left out: its languages, most of all. */
const joined = ['commander', 'pino', 'zod'];

/** The name of an entry's file in the folder of all that is joined. */
const fileOf = (entry) => entry.replaceAll('/', '-');

/** Modules find files beside them by their place in dist/, which is not where their code ends up. */
const places = (here) => ({
  name: 'places',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      if (!path.startsWith(source)) return undefined;
      const place = join('..', relative(source, path)).replace(/\.ts$/, '.js');
      const contents = readFileSync(path, 'utf8').replaceAll(
        'import.meta.url',
        `new URL(${JSON.stringify(place)}, ${here}).href`,
      );
      return { contents, loader: 'ts' };
    });
  },
});

const packages = {
  name: 'packages',
  setup({ onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ path, kind, importer }) => {
      if (kind === 'entry-point' || importer.includes('/node_modules/') || joined.includes(path))
        return undefined;
      return { path, external: true };
    });
  },
};

rmSync(join(dist, 'bundle'), { recursive: true, force: true });
/** @type {import('esbuild').BuildOptions} */
const options = {
  absWorkingDir: checkout,
  outdir: join(dist, 'bundle'),
  bundle: true,
  platform: 'node',
  target: 'node20',
  // Comments are a third of the text, and V8 keeps the text.
  minifyWhitespace: true,
  sourcemap: true,
  sourcesContent: false,
  metafile: true,
  logLevel: 'warning',
};
const input = (names) => Object.fromEntries(names.map((name) => [fileOf(name), `src/${name}.ts`]));
const { metafile } = await build({
  ...options,
  entryPoints: input(entries),
  format: 'esm',
  splitting: true,
  // For the packages in CommonJS.
  banner: {
    js: "import{createRequire as lunetteRequire}from'node:module';const require=lunetteRequire(import.meta.url);",
  },
  plugins: [places('import.meta.url'), packages],
});
await build({
  ...options,
  entryPoints: input([alone]),
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  banner: {
    js: "(function(require,__filename,__dirname){const lunetteHere=require('node:url').pathToFileURL(__filename);",
  },
  footer: { js: '})' },
  plugins: [places('lunetteHere'), packages],
});

/**
 * The code that V8 makes of the script of a thread, with that of the functions it runs until it serves a device: it is
 * had prepare for one.
 */
async function compile(file) {
  const { port1, port2 } = new MessageChannel();
  const start = {
    handlers: { modules: [] },
    settings: { commandTimeout: 1000 },
    log: { level: 'error', format: 'json' },
  };
  const worker = new Worker(join(checkout, 'scripts/compile-entry.cjs'), {
    workerData: { ...start, file, code: port2 },
    transferList: [port2],
  });
  const tcmu = {
    hba: 'user_0',
    name: 'none',
    subtype: 'null',
    cfgstring: '',
    devConfig: 'null/',
    uio: 'none',
  };
  worker.on('message', ({ kind }) => {
    if (kind === 'ready') worker.postMessage({ id: 0, call: 'prepare', parameters: { tcmu, config: {} } });
    else if (kind === 'result') port1.postMessage('');
  });
  const ended = once(worker, 'exit').then(() => [undefined]);
  const [code] = await Promise.race([once(port1, 'message'), ended]);
  port1.close();
  await worker.terminate();
  if (!code) throw new Error(`${file} cannot be run`);
  return code;
}

const script = join(dist, `bundle/${fileOf(alone)}.cjs`);
writeFileSync(`${script}.${process.version}-${process.arch}.cache`, await compile(script));
const boot = readFileSync(join(checkout, 'scripts/cached-entry.cjs'), 'utf8');
writeFileSync(join(dist, `${alone}.cjs`), boot.replace('BUNDLE', `../../bundle/${fileOf(alone)}.cjs`));
rmSync(join(dist, `${alone}.js`), { force: true });
rmSync(join(dist, `${alone}.js.map`), { force: true });

for (const entry of entries) {
  const file = `${'../'.repeat(entry.split('/').length - 1) || './'}bundle/${fileOf(entry)}.js`;
  const shebang = entry === 'cli/main' ? '#!/usr/bin/env node\n' : '';
  const isLibrary = entry.endsWith('index');
  writeFileSync(
    join(dist, `${entry}.js`),
    `${shebang}${isLibrary ? 'export * from' : 'import'} '${file}';\n`,
  );
  rmSync(join(dist, `${entry}.js.map`), { force: true });
}

/** Licences of the packages that are part of the files. */
const folders = Object.keys(metafile.inputs).flatMap((path) => {
  const found = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path);
  return found ? [found[1]] : [];
});
const licences = [...new Set(folders)].sort().map((folder) => {
  const { name, version } = JSON.parse(readFileSync(join(checkout, folder, 'package.json'), 'utf8'));
  const text = ['LICENSE', 'LICENSE.md', 'license', 'LICENCE'].flatMap((file) => {
    try {
      return [readFileSync(join(checkout, folder, file), 'utf8').trim()];
    } catch {
      return [];
    }
  })[0];
  if (text === undefined) throw new Error(`${folder}: no licence found`);
  return `${name} ${version}\n\n${text}\n`;
});
writeFileSync(join(dist, 'bundle/LICENSES'), licences.join(`\n${'-'.repeat(72)}\n\n`));
