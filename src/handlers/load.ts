import { existsSync } from 'node:fs';
import { register } from 'node:module';
import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ConfigError } from './config-error.js';
import { defineHandler, type Handler } from './contract.js';

/*
 * Handlers from files and packages. A handler's `import ... from 'lunette'` is answered with the very modules
 * that run it, wherever the file lies and whatever is installed beside it: a second copy would bring a second
 * SenseError class, which the first does not know. `zod` is taken from beside the handler where it is there.
 */

/** TypeScript sources when Lunette itself runs from them, and JavaScript when it was built. */
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

/** The entry points of package.json's `exports`. */
const ownModules = {
  lunette: new URL(`../index.${extension}`, import.meta.url).href,
  'lunette/scsi': new URL(`../scsi/index.${extension}`, import.meta.url).href,
  'lunette/testing': new URL(`../testing/index.${extension}`, import.meta.url).href,
};

/** A specifier of this scheme is resolved as if a file in the directory named `from` had imported `name`. */
const scheme = 'lunette-handler:';

/** Query parameter that makes a module's URL a new one, so that it and what it imports are loaded anew. */
const VERSION = 'lunette-version';

/*
 * Runs in Node's loader thread and must load before any loader for TypeScript is there, hence plain JavaScript
 * in a data: URL.
 */
const resolveHook = `
const own = ${JSON.stringify(ownModules)};
const home = ${JSON.stringify(import.meta.url)};
export async function resolve(specifier, context, next) {
  if (Object.hasOwn(own, specifier)) return { url: own[specifier], format: 'module', shortCircuit: true };
  let fallback = specifier === 'zod' || specifier.startsWith('zod/');
  if (specifier.startsWith(${JSON.stringify(scheme)})) {
    const wanted = new URL(specifier).searchParams;
    specifier = wanted.get('name');
    context = { ...context, parentURL: wanted.get('from') };
    fallback = true;
  }
  let found;
  try {
    found = await next(specifier, context);
  } catch (error) {
    if (!fallback || error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    found = await next(specifier, { ...context, parentURL: home }).catch(() => { throw error; });
  }
  const importer = context.parentURL?.startsWith('file:') ? new URL(context.parentURL) : undefined;
  const version = importer?.searchParams.get(${JSON.stringify(VERSION)});
  if (version && /^\\.{0,2}\\//.test(specifier) && found.url.startsWith('file:')) {
    const url = new URL(found.url);
    url.searchParams.set(${JSON.stringify(VERSION)}, version);
    found = { ...found, url: url.href };
  }
  // Without a package.json that says so, a .ts file would be taken for CommonJS.
  return /\\.ts(\\?|$)/.test(found.url) ? { ...found, format: 'module' } : found;
}`;

let prepared: Promise<void> | undefined;

/** Once a process: the TypeScript loader, then the hook above, which Node asks first. */
function prepare(): Promise<void> {
  return (prepared ??= (async () => {
    if (extension === 'js') (await import('tsx/esm/api')).register();
    register(`data:text/javascript,${encodeURIComponent(resolveHook)}`);
  })());
}

function isPath(specifier: string): boolean {
  return isAbsolute(specifier) || /^\.{0,2}\//.test(specifier) || /\.[cm]?[jt]s$/.test(specifier);
}

function toUrl(specifier: string, cwd: string): string {
  if (!specifier.startsWith('file:') && !isPath(specifier)) {
    const from = pathToFileURL(resolve(cwd, 'handler.js')).href;
    return `${scheme}?${new URLSearchParams({ name: specifier, from }).toString()}`;
  }
  const path = specifier.startsWith('file:') ? fileURLToPath(specifier) : resolve(cwd, specifier);
  if (!existsSync(path)) {
    throw new ConfigError(
      'HANDLER_NOT_FOUND',
      `handler file ${path} does not exist (a package is named without ./ and without ending)`,
    );
  }
  return pathToFileURL(path).href;
}

/** By its shape, because a handler may come from a package that has a Lunette of its own. */
function isHandler(value: unknown): value is Handler {
  const handler = value as Partial<Handler> | null | undefined;
  return (
    typeof handler === 'object' &&
    handler !== null &&
    typeof handler.name === 'string' &&
    typeof handler.open === 'function' &&
    typeof handler.config?.safeParse === 'function'
  );
}

/** Nothing for what is no object. */
function valuesOf(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value) : [];
}

function handlersOf(module: Record<string, unknown>): Handler[] {
  // A CommonJS module arrives as the default export.
  const values: unknown[] = [...Object.values(module), ...valuesOf(module.default)];
  return [...new Set(values.filter(isHandler))];
}

/** The message, and where it was thrown, in one line. */
function firstLines(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const at = /^\s+at (.*)$/m.exec(error.stack ?? '')?.[1];
  return `${error.message.split('\n')[0]}${at === undefined ? '' : ` (at ${at})`}`;
}

let versions = 0;

/**
 * As loadHandlers, but the files are read anew, those it imports by relative paths too. Packages are not.
 * Each version stays in memory, as Node forgets no module.
 */
export function reloadHandlers(specifier: string, cwd: string = process.cwd()): Promise<Handler[]> {
  versions++;
  return load(specifier, cwd, `${versions}`);
}

/**
 * Import the handlers of a module: its default export and every named one that defineHandler made.
 * @param specifier a path of a .ts, .mts, .js, .mjs or .cjs file, or the name of an installed package
 * @param cwd what a relative path starts from, and where packages are looked for first
 * @throws ConfigError where there is no such module, it throws, or it exports no handler
 */
export function loadHandlers(specifier: string, cwd: string = process.cwd()): Promise<Handler[]> {
  return load(specifier, cwd);
}

async function load(specifier: string, cwd: string, version?: string): Promise<Handler[]> {
  let url = toUrl(specifier, cwd);
  if (version !== undefined && url.startsWith('file:')) {
    const versioned = new URL(url);
    versioned.searchParams.set(VERSION, version);
    url = versioned.href;
  }
  await prepare();
  let module: Record<string, unknown>;
  try {
    module = (await import(url)) as Record<string, unknown>;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_MODULE_NOT_FOUND' && message.includes(`'${specifier}'`)) {
      throw new ConfigError(
        'HANDLER_NOT_FOUND',
        `handler package '${specifier}' is not installed: npm install ${specifier} (a file is named with ./)`,
        { cause: error },
      );
    }
    throw new ConfigError('HANDLER_BROKEN', `${specifier} cannot be loaded: ${firstLines(error)}`, {
      cause: error,
    });
  }
  const found = handlersOf(module);
  if (found.length === 0) {
    throw new ConfigError(
      'HANDLER_BROKEN',
      `${specifier} exports no handler: export what defineHandler({ ... }) returns`,
    );
  }
  try {
    return found.map((handler) => defineHandler(handler));
  } catch (error) {
    throw new ConfigError('HANDLER_BROKEN', `${specifier}: ${(error as Error).message}`, { cause: error });
  }
}
