import { expect } from 'chai';
import { once, EventEmitter } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SourceWatcher, sourceFiles } from '../../src/handlers/watch.js';

describe('handler sources', () => {
  let folder: string;
  const at = (name: string): string => join(folder, name);
  const put = (name: string, text: string): void => writeFileSync(at(name), text);

  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'lunette-watch-')));
    mkdirSync(at('lib'));
    put('disk.ts', "import { z } from 'zod';\nimport { a } from './lib/a.js';\nexport * from './b.mjs';\n");
    put('lib/a.ts', "const b = await import('../c.json');\nimport './a.js';\n");
    put('b.mts', "import './nowhere.js';\n");
    put('c.json', '{}');
    put('other.ts', '1');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('are the file and what it imports by relative paths', () => {
    const names = [...sourceFiles(at('disk.ts'))].map((path) => path.slice(folder.length + 1)).sort();
    expect(names).to.deep.equal(['b.mts', 'c.json', 'disk.ts', 'lib/a.ts']);
  });

  describe('when they are watched', () => {
    let watcher: SourceWatcher;
    let events: EventEmitter;
    let runs: number;
    const changed = (): Promise<unknown> => once(events, 'change', { signal: AbortSignal.timeout(5000) });

    beforeEach(async () => {
      runs = 0;
      events = new EventEmitter();
      watcher = await SourceWatcher.start(at('disk.ts'), async () => {
        runs++;
        events.emit('change');
      });
    });
    afterEach(() => watcher.close());

    it('tell of a save, in whatever way an editor does it', async () => {
      let seen = changed();
      put('disk.ts', '// longer than before\n');
      await seen;
      seen = changed();
      put('disk.ts.new', '// another one');
      renameSync(at('disk.ts.new'), at('disk.ts'));
      await seen;
    });

    it('tell of imported files, those imported since as well', async () => {
      let seen = changed();
      put('lib/a.ts', "import '../other.js';\n");
      await seen;
      await new Promise(setImmediate);
      seen = changed();
      put('other.ts', '2 // changed');
      await seen;
      expect(watcher.files).to.include(at('other.ts'));
    });

    it('say nothing of other files, nor of a file that is about to be written', async () => {
      put('unrelated.ts', '1');
      put('disk.ts', '');
      const seen = changed();
      put('disk.ts', '// written now\n');
      await seen;
      expect(runs).to.equal(1);
    });

    it('are not followed any more once closed', async () => {
      await watcher.close();
      put('disk.ts', '// after the end\n');
      await new Promise(setImmediate);
      expect(runs).to.equal(0);
    });
  });
});
