/** Why a test of libiscsi's suite cannot pass through LIO, whatever the logical unit does. */
export interface KernelCause {
  /** File under drivers/target of Linux 6.1, and function. */
  readonly where: string;
  readonly because: string;
}

const residual: KernelCause = {
  where: 'target_core_device.c: passthrough_parse_cdb()',
  because:
    'hands reads and writes over without target_cmd_size_check(), so that LIO neither finds that the CDB asks for ' +
    'more or less than the initiator expects nor answers with a residual; a ring entry has no field for one',
};

const targetReset = (kind: 'cold' | 'warm'): KernelCause => ({
  where: `iscsi/iscsi_target_tmr.c: iscsit_tmr_task_${kind}_reset()`,
  because: `refuses the reset unless the node's attribute tmr_${kind}_reset is set, which nothing can set`,
});

/** Tests that fail. */
export const failuresOfLio: Readonly<Record<string, KernelCause>> = {
  'ReceiveCopyResults.CopyStatus': {
    where: 'target_core_user.c: queue_cmd_ring()',
    because:
      'does not tell the I_T nexus of a command: list identifier 1, which the ExtendedCopy tests used on a session ' +
      'of their own, is still known on this one',
  },
  'iSCSIdatasn.iSCSIDataSnInvalid': {
    where: 'iscsi/iscsi_target_erl0.c: iscsit_dataout_check_datasn()',
    because:
      'closes the connection at a DataSN that is too high; the suite then logs in again, with immediate data, and ' +
      'its next write has no Data-Out whose DataSN could be wrong',
  },
  'iSCSIResiduals.Read10Invalid': residual,
  'iSCSIResiduals.Read10Residuals': residual,
  'iSCSIResiduals.Read12Residuals': residual,
  'iSCSIResiduals.Read16Residuals': residual,
  'iSCSIResiduals.Write10Residuals': residual,
  'iSCSIResiduals.Write12Residuals': residual,
  'iSCSIResiduals.Write16Residuals': residual,
  'iSCSIResiduals.WriteVerify10Residuals': residual,
  'iSCSIResiduals.WriteVerify12Residuals': residual,
  'iSCSIResiduals.WriteVerify16Residuals': residual,
};

const notRemovable = 'the medium cannot be removed';
const smallBlocks = 'logical and physical blocks have the same size';
const noZeroBlocks = 'WRITE SAME of 0 blocks is refused, and the Block Limits page says so (WSNZ)';

/** Tests that are skipped, wholly or in a part: because of the kernel, or as the disk in memory is of that kind. */
export const skippedOfLio: Readonly<Record<string, KernelCause | string>> = {
  'CompareAndWrite.InvalidDataOutSize': smallBlocks,
  'PreventAllow.Simple': notRemovable,
  'PreventAllow.Eject': notRemovable,
  'PreventAllow.ITNexusLoss': notRemovable,
  'PreventAllow.Logout': notRemovable,
  'PreventAllow.WarmReset': notRemovable,
  'PreventAllow.ColdReset': notRemovable,
  'PreventAllow.LUNReset': notRemovable,
  'PreventAllow.2ITNexuses': notRemovable,
  'ReadOnly.ReadOnlySBC': 'the disk can be written to',
  'Reserve6.TargetColdReset': targetReset('cold'),
  'Reserve6.TargetWarmReset': targetReset('warm'),
  'StartStopUnit.Simple': notRemovable,
  'WriteSame10.ZeroBlocks': noZeroBlocks,
  'WriteSame10.UnmapUnaligned': smallBlocks,
  'WriteSame10.InvalidDataOutSize': smallBlocks,
  'WriteSame16.ZeroBlocks': noZeroBlocks,
  'WriteSame16.UnmapUnaligned': smallBlocks,
  'WriteSame16.InvalidDataOutSize': smallBlocks,
};
