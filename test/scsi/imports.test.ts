import { expect } from 'chai';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '../../src/scsi');
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));

/** The source without its comments, which may well speak of Buffer. */
const code = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '');

describe('lunette/scsi', () => {
  it('has files to look at', () => {
    expect(files).to.include.members(['logical-unit.ts', path.join('commands', 'block-io.ts')]);
  });

  for (const name of files) {
    it(`${name} needs nothing of Node.js and nothing outside src/scsi`, () => {
      const text = code(readFileSync(path.join(root, name), 'utf8'));
      const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']*)'/g)].map(
        ([, specifier]) => specifier,
      );
      for (const specifier of specifiers) {
        expect(specifier).to.match(/^\.\.?\//);
        const target = path.resolve(root, path.dirname(name), specifier);
        expect(path.relative(root, target).startsWith('..'), specifier).to.equal(false);
      }
      expect(text).not.to.match(
        /\bBuffer\b|\bprocess\.|\brequire\(|\bsetImmediate\b|\bglobal\.|\b__dirname\b/,
      );
    });
  }
});
