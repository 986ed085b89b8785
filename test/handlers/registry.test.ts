import { expect } from 'chai';
import { z } from 'zod';
import { ConfigError } from '../../src/handlers/config-error.js';
import { defineHandler } from '../../src/handlers/contract.js';
import { flag, integer, size, text } from '../../src/handlers/options.js';
import { configDescription, describeOptions, exampleCfgstring } from '../../src/handlers/describe-options.js';
import { HandlerRegistry } from '../../src/handlers/registry.js';

const open = () => ({ size: 512, read: () => undefined });

const disk = defineHandler({
  name: 'disk',
  description: 'A disk for tests',
  config: z.object({
    path: text().describe('where').meta({ example: '/srv/disk.img' }),
    size: size()
      .default(2 ** 20)
      .describe('capacity')
      .meta({ example: '1G' }),
    create: flag().default(false).describe('make it'),
    mode: z.enum(['fast', 'safe']).optional(),
    depth: integer().describe('how deep'),
    strict: z.boolean().default(true),
  }),
  positional: 'path',
  open,
});

const plain = defineHandler({ name: 'plain', description: 'Nothing to say', config: z.object({}), open });

describe('HandlerRegistry', () => {
  it('finds a handler by its whole subtype only', () => {
    const registry = new HandlerRegistry();
    registry.add(disk);
    registry.add(plain);
    expect(registry.get('disk')).to.equal(disk);
    expect(registry.get('dis')).to.equal(undefined);
    expect(registry.get('disk2')).to.equal(undefined);
    expect(registry.names()).to.deep.equal(['disk', 'plain']);
    expect(registry.list().map(({ handler }) => handler.name)).to.deep.equal(['disk', 'plain']);
  });

  it('puts the prefix before each name', () => {
    const registry = new HandlerRegistry({ prefix: 'lab_' });
    registry.add(disk);
    expect(registry.get('lab_disk')).to.equal(disk);
    expect(registry.get('disk')).to.equal(undefined);
  });

  it('refuses a prefix that cannot be in a D-Bus path, and a second handler of one name', () => {
    for (const prefix of ['a-b', 'A', '/', '1']) {
      expect(() => new HandlerRegistry({ prefix }), prefix).to.throw(ConfigError, 'subtype prefix');
    }
    const registry = new HandlerRegistry();
    registry.add(disk);
    expect(() => registry.add({ ...plain, name: 'disk' })).to.throw(ConfigError, "two handlers named 'disk'");
  });

  it('names the nearest subtype where there is none', () => {
    const registry = new HandlerRegistry();
    registry.add(disk);
    registry.add(plain);
    expect(() => registry.find('dsk')).to.throw(
      ConfigError,
      "there is no handler 'dsk', did you mean 'disk'?; there are disk, plain",
    );
    expect(() => registry.find('something')).to.throw(ConfigError, "no handler 'something'; there are");
    expect(registry.find('plain')).to.equal(plain);
  });
});

describe('describeOptions', () => {
  it('reads names, types, defaults and texts off the schema', () => {
    expect(describeOptions(disk)).to.deep.equal([
      {
        name: 'path',
        type: 'text',
        default: undefined,
        required: true,
        description: 'where',
        positional: true,
        example: '/srv/disk.img',
      },
      {
        name: 'size',
        type: 'size',
        default: '1MiB',
        required: false,
        description: 'capacity',
        positional: false,
        example: '1G',
      },
      {
        name: 'create',
        type: 'flag',
        default: 'off',
        required: false,
        description: 'make it',
        positional: false,
        example: undefined,
      },
      {
        name: 'mode',
        type: 'fast|safe',
        default: undefined,
        required: false,
        description: '',
        positional: false,
        example: undefined,
      },
      {
        name: 'depth',
        type: 'number',
        default: undefined,
        required: true,
        description: 'how deep',
        positional: false,
        example: undefined,
      },
      {
        name: 'strict',
        type: 'flag',
        default: 'on',
        required: false,
        description: '',
        positional: false,
        example: undefined,
      },
    ]);
  });
});

describe('configDescription', () => {
  it('is what targetcli shows: form, options and an example', () => {
    expect(configDescription(disk).split('\n')).to.deep.equal([
      'A disk for tests',
      'cfgstring=PATH[?OPTION=VALUE[&OPTION=VALUE]...]',
      '  path (text, required): where',
      '  size (size, default 1MiB): capacity',
      '  create (flag, default off): make it',
      '  mode (fast|safe)',
      '  depth (number, required): how deep',
      '  strict (flag, default on)',
      'example: cfgstring=/srv/disk.img?size=1G&depth=VALUE',
    ]);
    expect(configDescription(plain)).to.equal('Nothing to say\ncfgstring=');
  });

  it('has the positional option by its name where there is no example of it', () => {
    const bare = defineHandler({
      name: 'bare',
      description: 'x',
      config: z.object({ path: text() }),
      positional: 'path',
      open,
    });
    expect(exampleCfgstring(bare)).to.equal('PATH');
    expect(configDescription(bare)).to.contain('cfgstring=PATH\n');
  });
});
