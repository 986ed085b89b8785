/** How a command ended, as an initiator sees it. */
export interface TransportResponse {
  /** SAM-5 status code. */
  readonly status: number;
  /** Sense data with CHECK CONDITION, else empty. */
  readonly sense: Uint8Array;
  /** The bytes of Data-In that arrived. */
  readonly dataIn: Uint8Array;
}

export interface TransportRequest {
  readonly cdb: Uint8Array;
  /** Data-Out. */
  readonly dataOut?: Uint8Array;
  /** Bytes of Data-In there is room for. */
  readonly dataInLength?: number;
}

/** Carries commands to a logical unit. */
export interface Transport {
  send(request: TransportRequest): Promise<TransportResponse>;
}
