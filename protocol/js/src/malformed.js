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
 * @typedef {"before_welcome" | "unexpected_welcome" | "version" | "no_descriptor" | "bad_descriptor"
 *   | "bad_baseline"} WelcomeFault what a server must not say then, or cannot be used
 * @typedef {`codec.${CodecFault}` | `chunk.${ChunkFault}` | `mirror.${MirrorFault}`} FaultCode
 */

/** Something that a server must not say. Thrown inside the client, never out of a session. */
export class Malformed extends Error {
  /** @param {FaultCode | WelcomeFault} code */
  constructor(code) {
    super(code);
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
