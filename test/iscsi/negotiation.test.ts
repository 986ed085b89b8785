import { expect } from 'chai';
import {
  defaultParameters,
  defaultPreferences,
  isFullFeatureKey,
  isKnownKey,
  negotiate,
  NegotiationError,
  type OperationalParameters,
  type TargetPreferences,
} from '../../src/iscsi/negotiation.js';

function answerTo(
  key: string,
  value: string,
  ours: Partial<TargetPreferences> = {},
  discovery = false,
): { answer: string | undefined; parameters: OperationalParameters } {
  const parameters = defaultParameters();
  const pair = negotiate([key, value], parameters, { ...defaultPreferences, ...ours }, discovery);
  if (pair) expect(pair[0]).to.equal(key);
  return { answer: pair?.[1], parameters };
}

describe('operational keys', () => {
  const table: [key: string, offered: string, answer: string | undefined][] = [
    ['HeaderDigest', 'None', 'None'],
    ['HeaderDigest', 'CRC32C,None', 'CRC32C'],
    ['HeaderDigest', 'None,CRC32C', 'None'],
    ['HeaderDigest', 'X-own,CRC32C', 'CRC32C'],
    ['HeaderDigest', 'X-own', 'Reject'],
    ['DataDigest', 'CRC32C', 'CRC32C'],
    ['DataDigest', '', 'Reject'],
    ['MaxConnections', '1', '1'],
    ['MaxConnections', '65535', '1'],
    ['MaxConnections', '0', 'Reject'],
    ['MaxConnections', '65536', 'Reject'],
    ['InitialR2T', 'Yes', 'Yes'],
    ['InitialR2T', 'No', 'No'],
    ['InitialR2T', 'Maybe', 'Reject'],
    ['ImmediateData', 'Yes', 'Yes'],
    ['ImmediateData', 'No', 'No'],
    ['ImmediateData', '1', 'Reject'],
    ['MaxRecvDataSegmentLength', '8192', undefined],
    ['MaxRecvDataSegmentLength', '512', undefined],
    ['MaxRecvDataSegmentLength', '16777215', undefined],
    ['MaxBurstLength', '512', '512'],
    ['MaxBurstLength', '16777215', '1048576'],
    ['MaxBurstLength', '511', 'Reject'],
    ['MaxBurstLength', '16777216', 'Reject'],
    ['FirstBurstLength', '65536', '65536'],
    ['FirstBurstLength', '0x10000', '65536'],
    ['FirstBurstLength', '16777215', '262144'],
    ['FirstBurstLength', '-1', 'Reject'],
    ['MaxOutstandingR2T', '1', '1'],
    ['MaxOutstandingR2T', '65535', '8'],
    ['MaxOutstandingR2T', '0', 'Reject'],
    ['DefaultTime2Wait', '0', '0'],
    ['DefaultTime2Wait', '3600', '3600'],
    ['DefaultTime2Wait', '3601', 'Reject'],
    ['DefaultTime2Retain', '20', '0'],
    ['DefaultTime2Retain', 'long', 'Reject'],
    ['DataPDUInOrder', 'No', 'Yes'],
    ['DataPDUInOrder', 'Yes', 'Yes'],
    ['DataSequenceInOrder', 'No', 'Yes'],
    ['DataSequenceInOrder', 'no', 'Reject'],
    ['ErrorRecoveryLevel', '0', '0'],
    ['ErrorRecoveryLevel', '2', '0'],
    ['ErrorRecoveryLevel', '3', 'Reject'],
    ['OFMarker', 'Yes', 'No'],
    ['IFMarker', 'No', 'No'],
    ['OFMarkInt', '2048', 'Reject'],
    ['IFMarkInt', '2048', 'Reject'],
    ['TaskReporting', 'FastAbort,RFC3720', 'RFC3720'],
    ['TaskReporting', 'FastAbort', 'Reject'],
    ['iSCSIProtocolLevel', '2', '1'],
    ['iSCSIProtocolLevel', '32', 'Reject'],
    ['InitiatorAlias', 'a host', undefined],
    ['SessionType', 'Normal', undefined],
    ['TargetAlias', 'mine', 'Reject'],
    ['TargetPortalGroupTag', '1', 'Reject'],
    ['SendTargets', 'All', 'Reject'],
    ['X-com.example.own', '1', 'NotUnderstood'],
    ['Unheard', 'of', 'NotUnderstood'],
    ['constructor', 'x', 'NotUnderstood'],
    ['__proto__', 'x', 'NotUnderstood'],
  ];
  for (const [key, offered, answer] of table) {
    it(`${key}=${offered} → ${answer ?? 'no answer'}`, () => {
      expect(answerTo(key, offered).answer).to.equal(answer);
    });
  }

  it('take effect', () => {
    const parameters = defaultParameters();
    for (const [key, value] of Object.entries({
      HeaderDigest: 'CRC32C',
      DataDigest: 'CRC32C,None',
      InitialR2T: 'No',
      ImmediateData: 'No',
      MaxRecvDataSegmentLength: '4096',
      MaxBurstLength: '8192',
      FirstBurstLength: '1024',
      MaxOutstandingR2T: '3',
      DefaultTime2Wait: '5',
      DefaultTime2Retain: '5',
    })) {
      negotiate([key, value], parameters, defaultPreferences, false);
    }
    expect(parameters).to.deep.equal({
      headerDigest: 'CRC32C',
      dataDigest: 'CRC32C',
      initialR2T: false,
      immediateData: false,
      maxSendDataSegmentLength: 4096,
      maxBurstLength: 8192,
      firstBurstLength: 1024,
      maxOutstandingR2T: 3,
      defaultTime2Wait: 5,
      defaultTime2Retain: 0,
      errorRecoveryLevel: 0,
    });
  });

  it("leave the default where they are rejected, and follow the target's preferences", () => {
    expect(answerTo('MaxBurstLength', '1').parameters.maxBurstLength).to.equal(262144);
    expect(answerTo('InitialR2T', 'No', { initialR2T: true }).answer).to.equal('Yes');
    expect(answerTo('ImmediateData', 'Yes', { immediateData: false }).answer).to.equal('No');
    expect(answerTo('HeaderDigest', 'None', { digests: ['CRC32C'] }).answer).to.equal('Reject');
  });

  it('mean nothing in discovery, most of them', () => {
    for (const key of ['MaxConnections', 'InitialR2T', 'MaxBurstLength', 'DataPDUInOrder']) {
      expect(answerTo(key, 'Yes', {}, true).answer, key).to.equal('Irrelevant');
    }
    expect(answerTo('HeaderDigest', 'CRC32C', {}, true).answer).to.equal('CRC32C');
  });

  it('end the login where a declaration is none', () => {
    for (const value of ['0', '511', '16777216', 'lots', '']) {
      expect(() => answerTo('MaxRecvDataSegmentLength', value), value).to.throw(NegotiationError);
    }
  });

  it('of which few may come later', () => {
    expect(isFullFeatureKey('MaxRecvDataSegmentLength')).to.equal(true);
    expect(isFullFeatureKey('MaxBurstLength')).to.equal(false);
    expect(isKnownKey('MaxBurstLength')).to.equal(true);
    expect(isKnownKey('toString')).to.equal(false);
  });
});
