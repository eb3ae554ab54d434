/**
 * The client without sockets: bytes and time go in, bytes, events and deadlines
 * come out. For those who bring their own transport, and for tools.
 *
 * @module
 */

export { Session, closeCode } from "./session.js";
export { Mirror } from "../mirror/mirror.js";
export { readDescriptor } from "../schema/descriptor.js";
export { readServerMessage } from "../message.js";
export { Clock, InputLead } from "../clock.js";
export { Playhead, Track } from "../interpolate.js";
export { Reconnect, PATIENCE } from "../reconnect.js";
export { Malformed } from "../malformed.js";
