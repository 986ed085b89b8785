import { expect } from 'chai';
import fc from 'fast-check';
import { chapResponse } from '../../src/iscsi/chap.js';
import {
  LoginNegotiator,
  loginStatus,
  type LoginAnswer,
  type LoginEnvironment,
  type LoginRequest,
} from '../../src/iscsi/login.js';
import { defaultPreferences } from '../../src/iscsi/negotiation.js';
import { encodeBinary, encodeText, parseBinary, parseText } from '../../src/iscsi/text-keys.js';

const TARGET = 'iqn.2024-01.org.example:disk';
const open: LoginEnvironment = {
  portalGroupTag: 3,
  preferences: defaultPreferences,
  authenticateDiscovery: true,
  hasTarget: (name) => name === TARGET,
  alias: () => 'the disk',
};
const guarded: LoginEnvironment = { ...open, credentials: { user: 'me', password: 'secret' } };
const who = { InitiatorName: 'iqn.2024-01.org.example:Host', TargetName: TARGET };

type Keys = Readonly<Record<string, string>> | readonly (readonly [string, string])[];

function request(keys: Keys, fields: Partial<LoginRequest> = {}): LoginRequest {
  const pairs = Array.isArray(keys) ? (keys as [string, string][]) : Object.entries(keys as object);
  return {
    transit: true,
    continues: false,
    currentStage: 1,
    nextStage: 3,
    versionMin: 0,
    isid: Uint8Array.of(1, 2, 3, 4, 5, 6),
    tsih: 0,
    cid: 1,
    text: encodeText(pairs as [string, string][]),
    ...fields,
  };
}

const security = (transit = false): Partial<LoginRequest> => ({ currentStage: 0, nextStage: 1, transit });
const keysOf = (answer: LoginAnswer): Record<string, string> => Object.fromEntries(parseText(answer.text));

describe('login', () => {
  it('in one step', () => {
    const answer = new LoginNegotiator(open).step(request({ ...who, HeaderDigest: 'CRC32C', Foo: 'bar' }));
    expect(answer.status).to.equal(loginStatus.success);
    expect(answer).to.include({ transit: true, currentStage: 1, nextStage: 3 });
    expect(keysOf(answer)).to.deep.equal({
      TargetPortalGroupTag: '3',
      HeaderDigest: 'CRC32C',
      Foo: 'NotUnderstood',
      MaxRecvDataSegmentLength: '262144',
      TargetAlias: 'the disk',
    });
    expect(answer.outcome).to.deep.include({
      initiatorName: 'iqn.2024-01.org.example:host',
      targetName: TARGET,
      tsih: 0,
      cid: 1,
    });
    expect(answer.outcome?.parameters.headerDigest).to.equal('CRC32C');
  });

  it('through the security stage without authentication', () => {
    const login = new LoginNegotiator(open);
    const first = login.step(request({ ...who, AuthMethod: 'CHAP,None' }, security(true)));
    expect(first).to.include({ status: 0, transit: true, nextStage: 1 });
    expect(first.outcome).to.equal(undefined);
    expect(keysOf(first)).to.deep.equal({ TargetPortalGroupTag: '3', AuthMethod: 'None' });
    const second = login.step(request({ MaxBurstLength: '1024', FirstBurstLength: '4096' }));
    expect(second.outcome?.parameters).to.include({ maxBurstLength: 1024, firstBurstLength: 1024 });
  });

  it('from the security stage to the end', () => {
    const answer = new LoginNegotiator(open).step(
      request({ ...who, AuthMethod: 'None' }, { ...security(true), nextStage: 3 }),
    );
    expect(answer.outcome).not.to.equal(undefined);
  });

  it('for discovery', () => {
    const answer = new LoginNegotiator(open).step(
      request({ InitiatorName: who.InitiatorName, SessionType: 'Discovery', InitialR2T: 'Yes' }),
    );
    expect(keysOf(answer)).to.deep.equal({ InitialR2T: 'Irrelevant', MaxRecvDataSegmentLength: '262144' });
    expect(answer.outcome?.targetName).to.equal(undefined);
  });

  it('in several PDUs of one step', () => {
    const login = new LoginNegotiator(open);
    const text = encodeText([...Object.entries(who), ['DataDigest', 'CRC32C']]);
    let at = 0;
    for (; at < text.length - 10; at += 10) {
      const piece = request({}, { text: text.subarray(at, at + 10), continues: true, transit: false });
      const answer = login.step(piece);
      expect(answer).to.include({ status: 0, transit: false });
      expect(answer.text.length).to.equal(0);
    }
    const { outcome } = login.step(request({}, { text: text.subarray(at) }));
    expect(outcome?.parameters.dataDigest).to.equal('CRC32C');
  });

  const refusals: [what: string, status: number, environment: LoginEnvironment, requests: LoginRequest[]][] =
    [
      ['no InitiatorName', 0x0207, open, [request({ TargetName: TARGET })]],
      ['no TargetName', 0x0207, open, [request({ InitiatorName: 'iqn.x' })]],
      ['an InitiatorName that is none', 0x0200, open, [request({ ...who, InitiatorName: 'a b' })]],
      ['a target that is not there', 0x0203, open, [request({ ...who, TargetName: 'iqn.other' })]],
      ['a session type that is none', 0x0209, open, [request({ ...who, SessionType: 'Boot' })]],
      ['a later version', 0x0205, open, [request(who, { versionMin: 1 })]],
      ['stage 2', 0x020b, open, [request(who, { currentStage: 2 })]],
      ['going back', 0x020b, open, [request(who, { nextStage: 0 })]],
      ['going to stage 2', 0x020b, open, [request(who, { nextStage: 2 })]],
      [
        'a stage not agreed on',
        0x020b,
        open,
        [request(who, { transit: false }), request({}, security(true))],
      ],
      ['C and T', 0x0200, open, [request(who, { continues: true })]],
      ['text that is none', 0x0200, open, [request({}, { text: Buffer.from('text') })]],
      ['a key twice', 0x0200, open, [request([...Object.entries(who), ['HeaderDigest', 'None'], ['HeaderDigest', 'None']])]], // prettier-ignore
      ['a key again', 0x0200, open, [request({ ...who, InitialR2T: 'No' }, { transit: false }), request({ InitialR2T: 'No' })]], // prettier-ignore
      ['AuthMethod twice', 0x0200, open, [request({ ...who, AuthMethod: 'None' }, security()), request({ AuthMethod: 'None' }, security())]], // prettier-ignore
      ['CHAP_A twice', 0x0200, guarded, [request([...Object.entries(who), ['AuthMethod', 'CHAP'], ['CHAP_A', '5'], ['CHAP_A', '7']], security())]], // prettier-ignore
      ['AuthMethod in the operational stage', 0x0200, open, [request({ ...who, AuthMethod: 'None' })]],
      ['a bad declaration', 0x0200, open, [request({ ...who, MaxRecvDataSegmentLength: '1' })]],
      [
        'another ISID',
        0x0200,
        open,
        [request(who, { transit: false }), request({}, { isid: new Uint8Array(6) })],
      ],
      ['no authentication', 0x0201, guarded, [request(who)]],
      ['no AuthMethod', 0x0201, guarded, [request(who, security(true))]],
      ['AuthMethod=None where CHAP is needed', 0x0201, guarded, [request({ ...who, AuthMethod: 'None' }, security())]], // prettier-ignore
      ['AuthMethod=CHAP where none is configured', 0x0201, open, [request({ ...who, AuthMethod: 'CHAP' }, security())]], // prettier-ignore
      ['AuthMethod=KRB5', 0x0201, guarded, [request({ ...who, AuthMethod: 'KRB5' }, security())]],
      ['CHAP keys out of nowhere', 0x0201, guarded, [request({ ...who, CHAP_A: '5' }, security())]],
      ['discovery without authentication', 0x0201, guarded, [request({ InitiatorName: 'iqn.x', SessionType: 'Discovery' })]], // prettier-ignore
      ['more text than a login has', 0x0200, open, Array.from({ length: 9 }, () => request({}, { text: new Uint8Array(8192), continues: true, transit: false }))], // prettier-ignore
      ['no end', 0x0200, open, [request(who, { transit: false }), ...Array.from({ length: 32 }, () => request({}, { transit: false }))]], // prettier-ignore
      ['an answer that would not fit', 0x0200, open, [request([...Object.entries(who), ...Array.from({ length: 200 }, (_, index) => [`X-${'k'.repeat(50)}${index}`, '1'] as const)])]], // prettier-ignore
    ];
  for (const [what, status, environment, requests] of refusals) {
    it(`is refused for ${what}`, () => {
      const login = new LoginNegotiator(environment);
      const answers = requests.map((each) => login.step(each));
      expect(answers.slice(0, -1).every((answer) => answer.status === 0)).to.equal(true);
      const last = answers.at(-1)!;
      expect(last.status.toString(16)).to.equal(status.toString(16));
      expect(last.transit).to.equal(false);
      expect(last.outcome).to.equal(undefined);
      expect(last.reason).to.be.a('string');
      expect(login.step(request(who)).status, 'over').to.equal(loginStatus.invalidDuringLogin);
    });
  }

  it('with CHAP', () => {
    const login = new LoginNegotiator(guarded);
    const first = login.step(request({ ...who, AuthMethod: 'None,CHAP' }, security(true)));
    expect(first).to.include({ status: 0, transit: false });
    expect(keysOf(first).AuthMethod).to.equal('CHAP');
    const { CHAP_I: id, CHAP_C: challenge } = keysOf(login.step(request({ CHAP_A: '7,5' }, security())));
    const response = chapResponse('sha256', Number(id), 'secret', parseBinary(challenge, 1024)!);
    const third = login.step(request({ CHAP_N: 'me', CHAP_R: encodeBinary(response) }, security(true)));
    expect(third).to.include({ status: 0, transit: true, nextStage: 1 });
    expect(login.step(request({})).outcome?.initiatorName).to.equal('iqn.2024-01.org.example:host');
  });

  it('with CHAP is refused for the wrong password, and cannot skip to the operational stage', () => {
    const login = new LoginNegotiator(guarded);
    login.step(request({ ...who, AuthMethod: 'CHAP', CHAP_A: '5' }, security()));
    const second = login.step(request({ CHAP_N: 'me', CHAP_R: '0x00' }, security(true)));
    expect(second.status).to.equal(loginStatus.authenticationFailed);
    const another = new LoginNegotiator(guarded);
    another.step(request({ ...who, AuthMethod: 'CHAP', CHAP_A: '5' }, security()));
    expect(another.step(request({})).status).to.equal(loginStatus.invalidDuringLogin);
  });

  it('without CHAP for discovery where that is allowed', () => {
    const login = new LoginNegotiator({ ...guarded, authenticateDiscovery: false });
    const keys = { InitiatorName: 'iqn.x', SessionType: 'Discovery' };
    expect(login.step(request(keys)).outcome).not.to.equal(undefined);
  });

  it('answers any request', () => {
    const key = fc.constantFrom('InitiatorName', 'TargetName', 'AuthMethod', 'CHAP_A', 'CHAP_R', 'DataDigest', 'MaxBurstLength', 'SessionType', 'X'); // prettier-ignore
    const value = fc.constantFrom('', 'iqn.a', TARGET, 'CHAP', 'None', '5', 'Yes', '512', 'Discovery', '0x00', 'Normal'); // prettier-ignore
    const step = fc.record({
      transit: fc.boolean(),
      continues: fc.boolean(),
      currentStage: fc.nat(3),
      nextStage: fc.nat(3),
      text: fc.oneof(
        fc.uint8Array({ maxLength: 60 }),
        fc.array(fc.tuple(key, value), { maxLength: 6 }).map((pairs) => encodeText(pairs)),
      ),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 6 }), fc.boolean(), (steps, secured) => {
        const login = new LoginNegotiator(secured ? guarded : open);
        for (const fields of steps) {
          const { status, outcome } = login.step(request({}, fields));
          expect(Object.values(loginStatus)).to.include(status);
          if (secured) expect(outcome).to.equal(undefined);
        }
      }),
      { numRuns: 500 },
    );
  });
});
