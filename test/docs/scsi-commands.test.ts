import { expect } from 'chai';
import { commandPage, writtenPage } from '../../scripts/document-commands.js';

describe('docs/scsi-commands.md', () => {
  it('lists the command table (else: npm run docs)', async () => {
    expect(writtenPage()).to.equal(await commandPage());
  });
});
