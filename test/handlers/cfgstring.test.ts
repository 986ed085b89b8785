import { expect } from 'chai';
import fc from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { configure, isolationOf, parseCfgstring, parseDeviceConfig } from '../../src/handlers/cfgstring.js';
import { ConfigError } from '../../src/handlers/config-error.js';
import { defineHandler } from '../../src/handlers/contract.js';
import { flag, integer, size, text } from '../../src/handlers/options.js';

const open = () => ({ size: 512, read: () => undefined });

const disk = defineHandler({
  name: 'disk',
  description: 'for tests',
  config: z.object({
    path: text(),
    size: size().default(1024),
    create: flag().default(false),
    count: integer().optional(),
    mode: z.enum(['fast', 'safe']).default('safe'),
  }),
  positional: 'path',
  open,
});

const plain = defineHandler({ name: 'plain', description: 'no options', config: z.object({}), open });

function configError(action: () => unknown): ConfigError {
  try {
    action();
  } catch (error) {
    expect(error).to.be.instanceOf(ConfigError);
    expect((error as Error).message).to.match(/^[^\n]+$/);
    return error as ConfigError;
  }
  return expect.fail('should have been refused');
}

describe('parseDeviceConfig', () => {
  it('parts the subtype from the cfgstring at the first slash', () => {
    expect(parseDeviceConfig('file//srv/disk.img?a=1')).to.deep.equal({
      subtype: 'file',
      cfgstring: '/srv/disk.img?a=1',
    });
    expect(parseDeviceConfig('memory/')).to.deep.equal({ subtype: 'memory', cfgstring: '' });
    expect(parseDeviceConfig('memory')).to.deep.equal({ subtype: 'memory', cfgstring: '' });
  });

  it('refuses an empty subtype', () => {
    expect(configError(() => parseDeviceConfig('/x')).code).to.equal('BAD_SUBTYPE');
    expect(configError(() => parseDeviceConfig('')).message).to.contain('HANDLER/CFGSTRING');
  });

  it('refuses what the kernel would cut, in bytes, and names the way out', () => {
    expect(parseDeviceConfig(`file/${'x'.repeat(250)}`).cfgstring).to.have.length(250);
    const error = configError(() => parseDeviceConfig(`file/${'ä'.repeat(126)}`));
    expect(error.code).to.equal('TOO_LONG');
    expect(error.message).to.contain('257 bytes').and.contain('@NAME');
  });
});

describe('parseCfgstring', () => {
  it('takes the positional part and the options apart and decodes both', () => {
    const { positional, options } = parseCfgstring('/srv/a%20b%2Cc?x=1%262&flag&empty=&name%3D=v=w');
    expect(positional).to.equal('/srv/a b,c');
    expect([...options]).to.deep.equal([
      ['x', '1&2'],
      ['flag', ''],
      ['empty', ''],
      ['name=', 'v=w'],
    ]);
  });

  it('has no positional part where nothing stands before the question mark', () => {
    expect(parseCfgstring('').positional).to.equal(undefined);
    expect(parseCfgstring('?a=1').positional).to.equal(undefined);
    expect(parseCfgstring('?').options.size).to.equal(0);
  });

  it('reads back whatever was percent-encoded', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string({ unit: 'grapheme' }), (a, b) => {
        fc.pre(!a.includes('\0') && !b.includes('\0'));
        const { positional, options } = parseCfgstring(`${encodeURIComponent(a)}?n=${encodeURIComponent(b)}`);
        expect(positional).to.equal(a);
        expect(options.get('n')).to.equal(b);
      }),
    );
  });

  it('answers any text with its parts or a ConfigError', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (anything) => {
        try {
          parseCfgstring(anything);
        } catch (error) {
          expect(error).to.be.instanceOf(ConfigError);
        }
      }),
    );
  });

  it('refuses bad encoding, a NUL, an option without a name, an option given twice, and layers', () => {
    expect(configError(() => parseCfgstring('a%zz')).code).to.equal('BAD_CFGSTRING');
    expect(configError(() => parseCfgstring('?a=%ff')).message).to.contain('%25');
    expect(configError(() => parseCfgstring('a%00b')).message).to.contain('NUL');
    expect(configError(() => parseCfgstring('?=1')).message).to.contain('no option name');
    expect(configError(() => parseCfgstring('?a=1&a=2')).code).to.equal('DUPLICATE_OPTION');
    expect(configError(() => parseCfgstring('/x|delay')).code).to.equal('LAYERS_NOT_SUPPORTED');
  });
});

describe('configure', () => {
  it('gives the values of the schema, with its defaults', () => {
    expect(configure(disk, '/a?size=1M&create&count=3&mode=fast')).to.deep.equal({
      path: '/a',
      size: 2 ** 20,
      create: true,
      count: 3,
      mode: 'fast',
    });
    expect(configure(disk, '?path=/a')).to.deep.equal({
      path: '/a',
      size: 1024,
      create: false,
      mode: 'safe',
    });
    expect(configure(plain, '')).to.deep.equal({});
  });

  it('names the right option where one is misspelt, and all of them', () => {
    const error = configError(() => configure(disk, '/a?sise=1'));
    expect(error.code).to.equal('UNKNOWN_OPTION');
    expect(error.message).to.equal(
      "disk: unknown option 'sise', did you mean 'size'?; it has path, size, create, count, mode",
    );
    expect(configError(() => configure(disk, '/a?wavelength=1')).message).not.to.contain('did you mean');
    expect(configError(() => configure(plain, '?a=1')).message).to.contain('it has none');
    expect(configError(() => configure(disk, '/a?__proto__=1')).code).to.equal('UNKNOWN_OPTION');
    expect(configError(() => configure(disk, '/a?toString=1')).code).to.equal('UNKNOWN_OPTION');
  });

  it('names the option whose value is wrong', () => {
    expect(configError(() => configure(disk, '/a?size=1Q')).message).to.match(
      /^disk: size: '1Q' is not a size/,
    );
    expect(configError(() => configure(disk, '/a?create=2')).message).to.match(
      /^disk: create: '2' is neither/,
    );
    expect(configError(() => configure(disk, '/a?mode=slow')).message).to.contain('fast');
    expect(configError(() => configure(disk, '/a?count=1.5')).code).to.equal('BAD_OPTION');
  });

  it('says where what is missing belongs', () => {
    const positional = configError(() => configure(disk, '?size=1'));
    expect(positional.code).to.equal('MISSING_OPTION');
    expect(positional.message).to.contain('disk/PATH');
    const needy = defineHandler({
      name: 'needy',
      description: 'x',
      open,
      config: z.object({ host: text() }),
    });
    expect(configError(() => configure(needy, '')).message).to.contain('add ?host=VALUE');
  });

  it('refuses a positional part that has no place or is there twice', () => {
    expect(configError(() => configure(plain, 'x')).message).to.contain('plain/?NAME=VALUE');
    expect(configError(() => configure(disk, '/a?path=/b')).code).to.equal('DUPLICATE_OPTION');
  });

  it('reports what a schema says about the whole', () => {
    const pair = defineHandler({
      description: 'x',
      open,
      name: 'pair',
      config: z.object({ a: flag().default(false) }).refine(({ a }) => a, { message: 'a is needed' }),
    });
    expect(configError(() => configure(pair, '')).message).to.equal('pair: a is needed');
  });

  it('refuses a comma, at which the kernel would stop reading', () => {
    expect(configError(() => configure(disk, '/a,b')).message).to.contain('%2C');
    expect(configure(disk, '/a%2Cb').path).to.equal('/a,b');
  });

  it('takes a definition in the place of the cfgstring', () => {
    const definitions = mkdtempSync(join(tmpdir(), 'lunette-definitions-'));
    try {
      writeFileSync(join(definitions, 'one'), '/srv/a,b\nsize=2K\n');
      const config = configure(disk, '@one', { definitions });
      expect(config).to.include({ path: '/srv/a,b', size: 2048 });
      expect(configError(() => configure(disk, '@two', { definitions })).code).to.equal('BAD_DEFINITION');
    } finally {
      rmSync(definitions, { recursive: true });
    }
  });

  it('says where a device is to be served, to every handler but one with such an option of its own', () => {
    const definitions = mkdtempSync(join(tmpdir(), 'lunette-definitions-'));
    try {
      writeFileSync(join(definitions, 'apart'), '/srv/a\nisolate=process\n');
      expect(isolationOf('@apart', { definitions })).to.equal('process');
      expect(configure(disk, '@apart', { definitions })).not.to.have.property('isolate');
    } finally {
      rmSync(definitions, { recursive: true });
    }
    expect(isolationOf('/a?isolate=thread')).to.equal('thread');
    expect(isolationOf('/a')).to.equal(undefined);
    expect(configError(() => isolationOf('/a?isolate=jail')).message).to.contain('none, thread, process');
    expect(configError(() => configure(disk, '/a?isolate=jail')).code).to.equal('BAD_OPTION');
    const own = defineHandler({ name: 'own', description: 'x', open, config: z.object({ isolate: text() }) });
    expect(configure(own, '?isolate=jail').isolate).to.equal('jail');
  });
});
