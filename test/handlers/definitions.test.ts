import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '../../src/handlers/config-error.js';
import { readDefinition } from '../../src/handlers/definitions.js';

describe('readDefinition', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lunette-definitions-'));
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  function definition(text: string): string {
    writeFileSync(join(directory, 'disk'), text);
    return readDefinition('disk', directory);
  }

  it('reads one line as the cfgstring', () => {
    expect(definition('/srv/disk.img?create=1&size=1G\n')).to.equal('/srv/disk.img?create=1&size=1G');
  });

  it('joins further lines as options, without comments and empty lines', () => {
    expect(definition('# the big one\n\n /srv/disk.img \r\n  create=1\n\n# how long\n&size=1G\n')).to.equal(
      '/srv/disk.img?create=1&size=1G',
    );
    expect(definition('?a=1\nb=2')).to.equal('?a=1&b=2');
  });

  it('may be longer than the kernel would keep', () => {
    const path = `/srv/${'long/'.repeat(1000)}disk.img`;
    expect(definition(path)).to.equal(path);
  });

  for (const [what, text, message] of [
    ['an empty file', '\n# nothing\n', /is empty/],
    ['one that refers to another', '@other', /refers to another/],
    ['one of more than 64 KiB', 'x'.repeat(64 * 1024 + 1), /longer than 64 KiB/],
  ] as const) {
    it(`refuses ${what}`, () => {
      expect(() => definition(text)).to.throw(ConfigError, message);
    });
  }

  it('refuses names that could lead elsewhere', () => {
    for (const name of ['', '.', '..', '../etc/passwd', 'a/b', '.hidden', 'a b', 'a\0']) {
      expect(() => readDefinition(name, directory), name).to.throw(ConfigError, 'names no definition');
    }
  });

  it('says which file is missing, and what is no file', () => {
    expect(() => readDefinition('none', directory)).to.throw(
      ConfigError,
      `there is no file ${directory}/none`,
    );
    mkdirSync(join(directory, 'sub'));
    expect(() => readDefinition('sub', directory)).to.throw(ConfigError, 'is not a regular file');
  });

  it('does not wait for the writer of a FIFO', () => {
    execFileSync('mkfifo', [join(directory, 'fifo')]);
    expect(() => readDefinition('fifo', directory)).to.throw(ConfigError, 'is not a regular file');
  });
});
