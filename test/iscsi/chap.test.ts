import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { ChapError, ChapExchange, chapResponse } from '../../src/iscsi/chap.js';
import { encodeBinary, parseBinary } from '../../src/iscsi/text-keys.js';

const credentials = { user: 'someone', password: 'a long secret' };
const mutual = { ...credentials, mutualUser: 'the target', mutualPassword: 'another secret' };

function begin(
  offer = '5',
  given: typeof credentials = credentials,
): { exchange: ChapExchange; id: number; challenge: Buffer; algorithm: string } {
  const exchange = new ChapExchange(given);
  const answer = new Map(exchange.step(new Map([['CHAP_A', offer]])));
  return {
    exchange,
    id: Number(answer.get('CHAP_I')),
    challenge: parseBinary(answer.get('CHAP_C')!, 1024)!,
    algorithm: answer.get('CHAP_A')!,
  };
}

function prove(password: string, id: number, challenge: Buffer, algorithm = 'md5'): string {
  return encodeBinary(chapResponse(algorithm, id, password, challenge));
}

describe('CHAP', () => {
  it('computes the response of RFC 1994', () => {
    const challenge = Buffer.from('00112233', 'hex');
    const expected = createHash('md5').update(Buffer.from('\x07secret')).update(challenge).digest();
    expect(chapResponse('md5', 7, 'secret', challenge)).to.deep.equal(expected);
  });

  for (const [number, algorithm] of [
    ['5', 'md5'],
    ['6', 'sha1'],
    ['7', 'sha256'],
    ['8', 'sha3-256'],
  ]) {
    it(`authenticates with algorithm ${number}`, () => {
      const { exchange, id, challenge, algorithm: chosen } = begin(number);
      expect(chosen).to.equal(number);
      expect(exchange.authenticated).to.equal(false);
      const keys = new Map([
        ['CHAP_N', 'someone'],
        ['CHAP_R', prove(credentials.password, id, challenge, algorithm)],
      ]);
      expect(exchange.step(keys)).to.deep.equal([]);
      expect(exchange.authenticated).to.equal(true);
      expect(() => exchange.step(keys)).to.throw(ChapError);
    });
  }

  it('takes the first algorithm it knows, and none where there is none', () => {
    expect(begin('99,7,5').algorithm).to.equal('7');
    for (const offer of ['', '56', '5x', '1,2,3', '0']) {
      expect(() => begin(offer), offer).to.throw(ChapError);
    }
  });

  it('takes a response in base64', () => {
    const { exchange, id, challenge } = begin();
    const response = chapResponse('md5', id, credentials.password, challenge).toString('base64');
    exchange.step(
      new Map([
        ['CHAP_N', 'someone'],
        ['CHAP_R', `0b${response}`],
      ]),
    );
    expect(exchange.authenticated).to.equal(true);
  });

  it('refuses another name, another secret, and what is no response', () => {
    const cases: ((id: number, challenge: Buffer) => [string, string][])[] = [
      (id, challenge) => [
        ['CHAP_N', 'someone else'],
        ['CHAP_R', prove(credentials.password, id, challenge)],
      ],
      (id, challenge) => [
        ['CHAP_N', 'someone'],
        ['CHAP_R', prove('guess', id, challenge)],
      ],
      (id, challenge) => [['CHAP_R', prove(credentials.password, id, challenge)]],
      () => [['CHAP_N', 'someone']],
      () => [
        ['CHAP_N', 'someone'],
        ['CHAP_R', '0x'],
      ],
      () => [
        ['CHAP_N', 'someone'],
        ['CHAP_R', '0x00'],
      ],
      () => [['CHAP_A', '5']],
    ];
    for (const make of cases) {
      const { exchange, id, challenge } = begin();
      expect(() => exchange.step(new Map(make(id, challenge)))).to.throw(ChapError);
      expect(exchange.authenticated).to.equal(false);
    }
  });

  it('waits for CHAP_A', () => {
    const exchange = new ChapExchange(credentials);
    expect(exchange.step(new Map([['CHAP_N', 'x']]))).to.deep.equal([]);
    expect(exchange.authenticated).to.equal(false);
  });

  it('proves the target as well', () => {
    const { exchange, id, challenge } = begin('7', mutual);
    const theirs = Buffer.from('feedface', 'hex');
    const answer = exchange.step(
      new Map([
        ['CHAP_N', 'someone'],
        ['CHAP_R', prove(mutual.password, id, challenge, 'sha256')],
        ['CHAP_I', '200'],
        ['CHAP_C', encodeBinary(theirs)],
      ]),
    );
    expect(answer).to.deep.equal([
      ['CHAP_N', 'the target'],
      ['CHAP_R', prove('another secret', 200, theirs, 'sha256')],
    ]);
  });

  it('does not answer a reflected challenge, a malformed one, or one it has no secret for', () => {
    for (const [given, theirs] of [
      [mutual, (challenge: Buffer): [string, string][] => [['CHAP_C', encodeBinary(challenge)]]],
      [mutual, (): [string, string][] => [['CHAP_C', 'xyz']]],
      [mutual, (): [string, string][] => []],
      [credentials, (): [string, string][] => [['CHAP_C', '0x0102']]],
    ] as const) {
      const { exchange, id, challenge } = begin('5', given);
      const keys = new Map([
        ['CHAP_N', 'someone'],
        ['CHAP_R', prove(credentials.password, id, challenge)],
        ['CHAP_I', '1'],
        ...theirs(challenge),
      ]);
      expect(() => exchange.step(keys)).to.throw(ChapError);
      expect(exchange.authenticated).to.equal(false);
    }
  });
});
