import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ConfigError } from '../../src/handlers/config-error.js';
import { loadHandlers } from '../../src/handlers/load.js';
import { failureOf } from '../conformance/support.js';

/** A module outside of any project that exports a handler named `name`. */
const source = (name: string, typed = ''): string => `
import { defineHandler, size } from 'lunette';
import { z } from 'zod';
const bytes${typed} = 512;
export const handler = defineHandler({
  name: '${name}', description: 'for tests', config: z.object({ size: size().default(2 ** 20) }),
  open: () => ({ size: bytes, read: () => undefined }),
});
`;

const sourceUrl = (name: string): string => new URL(`../../src/handlers/${name}`, import.meta.url).href;

describe('loadHandlers', () => {
  let directory: string;

  beforeEach(() => {
    directory = realpathSync(mkdtempSync(join(tmpdir(), 'lunette-load-')));
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  function write(path: string, text: string): string {
    const whole = join(directory, path);
    mkdirSync(dirname(whole), { recursive: true });
    writeFileSync(whole, text);
    return whole;
  }

  /**
   * Load in a process of its own, as `lunette serve` does, and evaluate `expression` over `handlers`. Mocha gives
   * this file modules that are not those of a plain import, which would be loaded, and counted, twice.
   */
  function loadElsewhere(specifier: string, expression: string): unknown {
    const script = `
      import { loadHandlers } from ${JSON.stringify(sourceUrl('load.ts'))};
      import { SenseError } from ${JSON.stringify(sourceUrl('contract.ts'))};
      import { describeOptions } from ${JSON.stringify(sourceUrl('describe-options.ts'))};
      const handlers = await loadHandlers(${JSON.stringify(specifier)}, ${JSON.stringify(directory)});
      console.log(JSON.stringify(${expression}));`;
    const env = { ...process.env, NODE_V8_COVERAGE: undefined };
    const args = ['--import', 'tsx', '--input-type=module', '-e', script];
    return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', env }));
  }

  async function refusal(specifier: string): Promise<ConfigError> {
    const error = await failureOf(() => loadHandlers(specifier, directory));
    expect(error).to.be.instanceOf(ConfigError);
    expect(error.message).to.match(/^[^\n]+$/);
    return error as Error as ConfigError;
  }

  for (const [ending, typed] of [
    ['.ts', ': number'],
    ['.mts', ': number'],
    ['.js', ''],
    ['.mjs', ''],
  ]) {
    it(`imports a ${ending} file, which needs nothing installed beside it`, () => {
      const name = `from_${ending.slice(1)}`;
      if (ending === '.js') write('package.json', '{"type":"module"}');
      write(`mine${ending}`, source(name, typed));
      const found = loadElsewhere(
        `./mine${ending}`,
        'handlers.map((handler) => [handler.name, describeOptions(handler)[0].default, handler.open().size])',
      );
      expect(found).to.deep.equal([[name, '1MiB', 512]]);
    });
  }

  it('imports a package by its name, from beside the working directory', () => {
    write(
      'node_modules/some-disk/package.json',
      '{"name":"some-disk","type":"module","exports":"./main.js"}',
    );
    write('node_modules/some-disk/main.js', source('some_disk'));
    expect(loadElsewhere('some-disk', 'handlers[0].name')).to.equal('some_disk');
  });

  it('gives a handler the very classes that judge its errors', () => {
    const path = write(
      'throws.ts',
      `import { defineHandler, SenseError } from 'lunette';
       import { z } from 'zod';
       export default defineHandler({
         name: 'throws', description: 'x', config: z.object({}),
         open: () => ({ size: 512, read() { throw new SenseError(3, 0x1100, 'broken'); } }),
       });`,
    );
    const thrown = '(() => { try { handlers[0].open().read(); } catch (error) { return error; } })()';
    expect(loadElsewhere(path, `${thrown} instanceof SenseError`)).to.equal(true);
  });

  it('takes the default export and every named one, each once', async () => {
    const shape = (name: string) =>
      `{ name: '${name}', description: 'x', config: z.object({}), open: () => ({ size: 512, read() {} }) }`;
    write(
      'several.mjs',
      `import { z } from 'zod';
       export const one = ${shape('one')};
       export const two = ${shape('two')};
       export default one;
       export const other = 5;
       export const nothing = null;`,
    );
    const found = await loadHandlers('./several.mjs', directory);
    expect(found.map(({ name }) => name).sort()).to.deep.equal(['one', 'two']);
  });

  it('imports a CommonJS module', async () => {
    write(
      'old.cjs',
      `exports.old = { name: 'old', description: 'x', config: { shape: {}, safeParse() {} }, open() {} };`,
    );
    expect((await loadHandlers('./old.cjs', directory)).map(({ name }) => name)).to.deep.equal(['old']);
  });

  it('tells a missing file from a missing package', async () => {
    const file = await refusal('./nowhere.ts');
    expect(file.code).to.equal('HANDLER_NOT_FOUND');
    expect(file.message).to.contain(join(directory, 'nowhere.ts'));
    const bare = await refusal('nowhere.ts');
    expect(bare.message).to.contain('does not exist');
    const missing = await refusal('no-such-package');
    expect(missing.code).to.equal('HANDLER_NOT_FOUND');
    expect(missing.message).to.contain('npm install no-such-package');
  });

  it('says what a module threw, and where', async () => {
    write('broken.mjs', 'throw new Error("no credentials\\nat all");');
    const error = await refusal('./broken.mjs');
    expect(error.code).to.equal('HANDLER_BROKEN');
    expect(error.message).to.contain('no credentials').and.contain('broken.mjs:1');
    write('worse.mjs', 'throw "just text";');
    expect((await refusal('./worse.mjs')).message).to.contain('just text');
  });

  it('says which import of a module is missing, not that the module is', async () => {
    write('needs.mjs', "import 'a-package-that-is-not-there'; export const x = 1;");
    const error = await refusal('./needs.mjs');
    expect(error.code).to.equal('HANDLER_BROKEN');
    expect(error.message).to.contain('a-package-that-is-not-there');
  });

  it('says that the syntax is wrong', async () => {
    write('syntax.ts', 'export const = 1;');
    expect((await refusal('./syntax.ts')).code).to.equal('HANDLER_BROKEN');
  });

  it('refuses a module without a handler, and a handler that is not right', async () => {
    write('empty.mjs', 'export const x = { name: "x" };');
    expect((await refusal('./empty.mjs')).message).to.contain('exports no handler');
    write(
      'misnamed.mjs',
      `import { z } from 'zod';
       export const x = { name: 'My Disk', description: 'x', config: z.object({}), open() {} };`,
    );
    expect((await refusal('./misnamed.mjs')).message).to.contain("handler name 'My Disk'");
  });
});

describe('reloadHandlers', () => {
  it('reads the module anew, and what it imports by relative paths', () => {
    const directory = realpathSync(mkdtempSync(join(tmpdir(), 'lunette-reload-')));
    try {
      writeFileSync(
        join(directory, 'disk.ts'),
        source('reloaded')
          .replace('= 512', '= sectors * 512')
          .replace('\n', "\nimport { sectors } from './part.js';\n"),
      );
      const script = `
        import { writeFileSync } from 'node:fs';
        import { loadHandlers, reloadHandlers } from ${JSON.stringify(sourceUrl('load.ts'))};
        const part = ${JSON.stringify(join(directory, 'part.ts'))};
        const disk = ${JSON.stringify(join(directory, 'disk.ts'))};
        const sizes = [];
        writeFileSync(part, 'export const sectors: number = 1;');
        sizes.push((await loadHandlers(disk))[0].open().size);
        writeFileSync(part, 'export const sectors: number = 2;');
        sizes.push((await loadHandlers(disk))[0].open().size);
        sizes.push((await reloadHandlers(disk))[0].open().size);
        writeFileSync(part, 'export const sectors: number =;');
        await reloadHandlers(disk).then(() => sizes.push('?'), ({ code }) => sizes.push(code));
        writeFileSync(part, 'export const sectors: number = 3;');
        sizes.push((await reloadHandlers(disk))[0].open().size);
        console.log(JSON.stringify(sizes));`;
      const env = { ...process.env, NODE_V8_COVERAGE: undefined };
      const args = ['--import', 'tsx', '--input-type=module', '-e', script];
      const found: unknown = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', env }));
      expect(found).to.deep.equal([512, 512, 1024, 'HANDLER_BROKEN', 1536]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
