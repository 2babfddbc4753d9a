/**
 * The version of this library.
 *
 * @module
 */

/** As deno.json has it. */
export const VERSION = "0.1.0";
