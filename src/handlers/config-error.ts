export type ConfigErrorCode =
  | 'TOO_LONG'
  | 'BAD_SUBTYPE'
  | 'UNKNOWN_HANDLER'
  | 'DUPLICATE_HANDLER'
  | 'BAD_CFGSTRING'
  | 'UNKNOWN_OPTION'
  | 'DUPLICATE_OPTION'
  | 'MISSING_OPTION'
  | 'BAD_OPTION'
  | 'BAD_DEFINITION'
  | 'LAYERS_NOT_SUPPORTED'
  | 'HANDLER_NOT_FOUND'
  | 'HANDLER_BROKEN';

/** What was configured cannot be. The message is one line that its author can act on: targetcli shows it as it is. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(
    readonly code: ConfigErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
