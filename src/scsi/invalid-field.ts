import { additionalSense, senseKey, SenseError } from './sense.js';

/** ILLEGAL REQUEST, INVALID FIELD IN CDB, pointing at the field. */
export function invalidFieldInCdb(byte: number, message: string, bit?: number): SenseError {
  return new SenseError(senseKey.illegalRequest, additionalSense.invalidFieldInCdb, message, {
    field: { inCdb: true, byte, bit },
  });
}

/** ILLEGAL REQUEST, INVALID FIELD IN PARAMETER LIST, pointing at the field. */
export function invalidFieldInParameterList(byte: number, message: string, bit?: number): SenseError {
  return new SenseError(senseKey.illegalRequest, additionalSense.invalidFieldInParameterList, message, {
    field: { inCdb: false, byte, bit },
  });
}

export function parameterListLengthError(message: string): SenseError {
  return new SenseError(senseKey.illegalRequest, additionalSense.parameterListLengthError, message);
}
