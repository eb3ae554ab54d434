/**
 * Why bytes are refused. The codes are those of the golden vectors and of
 * `docs/PROTOCOL.md`, section 9.
 *
 * @module
 */

/**
 * @typedef {"Truncated" | "Trailing" | "BadInteger" | "BadBool" | "BadTag" | "TooLong" | "NotUtf8"
 *   | "NotFinite" | "Invalid"} CodecFault
 * @typedef {"Truncated" | "Trailing" | "NoSuchTable" | "TooLarge" | "NoSuchRow" | "RowTaken"
 *   | "OutOfRange" | "BadTag" | "BadLength" | "NotUtf8" | "NotFinite" | "TooMuchState"} ChunkFault
 * @typedef {"NoBaseline" | "NoMotion" | "BadScope" | "BadTick" | "Broken"} MirrorFault
 * @typedef {`codec.${CodecFault}` | `chunk.${ChunkFault}` | `mirror.${MirrorFault}`} FaultCode
 */

/** Bytes that are not what they should be. Thrown inside the client, never out of a session. */
export class Malformed extends Error {
  /** @param {FaultCode} code */
  constructor(code) {
    super(`malformed: ${code}`);
    this.name = "Malformed";
    /** What is wrong. */
    this.code = code;
  }
}

/** @param {CodecFault} fault @returns {never} */
export function codecFault(fault) {
  throw new Malformed(`codec.${fault}`);
}

/** @param {ChunkFault} fault @returns {never} */
export function chunkFault(fault) {
  throw new Malformed(`chunk.${fault}`);
}

/** @param {MirrorFault} fault @returns {never} */
export function mirrorFault(fault) {
  throw new Malformed(`mirror.${fault}`);
}
