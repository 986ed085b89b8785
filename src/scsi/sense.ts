/*
 * Sense keys, additional sense codes, and the error that carries them (SPC-4 4.5). How they travel:
 * sense-data.ts.
 */

/** Sense keys (SPC-4 table 48). */
export const senseKey = {
  noSense: 0x0,
  recoveredError: 0x1,
  notReady: 0x2,
  mediumError: 0x3,
  hardwareError: 0x4,
  illegalRequest: 0x5,
  unitAttention: 0x6,
  dataProtect: 0x7,
  blankCheck: 0x8,
  vendorSpecific: 0x9,
  copyAborted: 0xa,
  abortedCommand: 0xb,
  volumeOverflow: 0xd,
  miscompare: 0xe,
  completed: 0xf,
} as const;

/** Additional sense code and qualifier as one number, `asc << 8 | ascq` (SPC-4 table F.2). */
export const additionalSense = {
  none: 0x0000,
  operationInProgress: 0x0016,
  logicalUnitNotReadyInitializingCommandRequired: 0x0402,
  logicalUnitAsymmetricAccessStateTransition: 0x040a,
  targetPortInStandbyState: 0x040b,
  targetPortInUnavailableState: 0x040c,
  logicalUnitNotReadyFormatInProgress: 0x0404,
  logicalUnitNotReadySanitizeInProgress: 0x041b,
  logicalUnitCommunicationFailure: 0x0800,
  unreachableCopyTarget: 0x0804,
  writeError: 0x0c00,
  thirdPartyDeviceFailure: 0x0d01,
  copyTargetDeviceNotReachable: 0x0d02,
  incorrectCopyTargetDeviceType: 0x0d03,
  invalidFieldInCommandInformationUnit: 0x0e03,
  unrecoveredReadError: 0x1100,
  parameterListLengthError: 0x1a00,
  defectListNotFound: 0x1c00,
  miscompareDuringVerify: 0x1d00,
  invalidCommandOperationCode: 0x2000,
  lbaOutOfRange: 0x2100,
  invalidTokenOperation: 0x2300,
  unsupportedTokenType: 0x2301,
  tokenUnknown: 0x2304,
  tokenRevoked: 0x2306,
  tokenExpired: 0x2307,
  tokenDeleted: 0x2309,
  invalidTokenLength: 0x230a,
  invalidFieldInCdb: 0x2400,
  logicalUnitNotSupported: 0x2500,
  invalidFieldInParameterList: 0x2600,
  invalidReleaseOfPersistentReservation: 0x2604,
  tooManyTargetDescriptors: 0x2606,
  unsupportedTargetDescriptorTypeCode: 0x2607,
  tooManySegmentDescriptors: 0x2608,
  unsupportedSegmentDescriptorTypeCode: 0x2609,
  unexpectedInexactSegment: 0x260a,
  inlineDataLengthExceeded: 0x260b,
  writeProtected: 0x2700,
  spaceAllocationFailedWriteProtect: 0x2707,
  notReadyToReadyChange: 0x2800,
  powerOnResetOrBusDeviceReset: 0x2900,
  powerOnOccurred: 0x2901,
  busDeviceResetFunctionOccurred: 0x2903,
  nexusLossOccurred: 0x2907,
  modeParametersChanged: 0x2a01,
  logParametersChanged: 0x2a02,
  reservationsPreempted: 0x2a03,
  reservationsReleased: 0x2a04,
  registrationsPreempted: 0x2a05,
  asymmetricAccessStateChanged: 0x2a06,
  capacityDataHasChanged: 0x2a09,
  commandTimeoutDuringProcessing: 0x2e02,
  commandsClearedByAnotherInitiator: 0x2f00,
  thinProvisioningSoftThresholdReached: 0x3807,
  mediumFormatCorrupted: 0x3100,
  sanitizeCommandFailed: 0x3103,
  savingParametersNotSupported: 0x3900,
  mediumNotPresent: 0x3a00,
  inquiryDataHasChanged: 0x3f03,
  logicalUnitFailedSelfTest: 0x3e03,
  internalTargetFailure: 0x4400,
  dataPhaseError: 0x4b00,
  mediumRemovalPrevented: 0x5302,
  insufficientRegistrationResources: 0x5504,
  lowPowerConditionOn: 0x5e00,
  idleConditionActivatedByCommand: 0x5e03,
  standbyConditionActivatedByCommand: 0x5e04,
} as const;

export interface SenseDetails {
  /** Sense key specific field pointer (SPC-4 4.5.2.4.2). */
  field?: {
    /** True for the CDB, false for the parameter list. */
    inCdb: boolean;
    byte: number;
    /** Most significant bit of the field in error, where one bit can be named. */
    bit?: number;
  };
  /** INFORMATION field: an LBA, or the offset of a miscompare. */
  information?: number;
  /** COMMAND-SPECIFIC INFORMATION field, 4 bytes: of COPY ABORTED the number of the segment descriptor. */
  commandSpecific?: number;
  /** How far an operation in the background is, 0 to 65535 (SPC-4 4.5.2.4.4). Not together with `field`. */
  progress?: number;
  /** The error is one of an earlier command, which had been answered GOOD (SPC-4 4.5.7). */
  deferred?: boolean;
  cause?: unknown;
}

/** A command ends with CHECK CONDITION and this sense. Handlers throw it where an errno would say too little. */
export class SenseError extends Error {
  override readonly name = 'SenseError';

  /**
   * @param key one of `senseKey`
   * @param code `asc << 8 | ascq`, one of `additionalSense` or any other
   */
  constructor(
    readonly key: number,
    readonly code: number,
    message: string,
    readonly details: SenseDetails = {},
  ) {
    super(message, { cause: details.cause });
  }
}

/** A command ends with a status that has no sense data: RESERVATION CONFLICT, BUSY, TASK SET FULL. */
export class StatusError extends Error {
  override readonly name = 'StatusError';

  /** @param status one of `scsiStatus` */
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}
