/**
 * The control for WebSockets: the same bytes as over TCP, for nobody looks at them.
 *
 * @module
 */

export { dialect } from "./bytes.ts";
