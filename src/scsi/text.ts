/** ASCII of exactly `length` bytes: cut, or filled with blanks (SPC-4 4.4.1). What is not ASCII becomes `?`. */
export function padded(text: string, length: number): Uint8Array {
  return ascii(text.slice(0, length).padEnd(length));
}

/** Printable ASCII; what is not becomes `?`. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => {
    const code = letter.codePointAt(0)!;
    return code >= 0x20 && code <= 0x7e ? code : 0x3f;
  });
}
