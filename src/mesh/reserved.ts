/**
 * Services that belong to the routers themselves: the mesh's own, not the application's.
 *
 * @module
 */

/** What the names of such services begin with. */
const RESERVED_PREFIX = "aln.";

/** The service by which a router says that it is of our kind. Each has it, and tells nobody. */
export const PROBE_SERVICE = "aln.x";

/** Whether no application may have a service of that name. */
export function isReserved(service: string): boolean {
  return service.startsWith(RESERVED_PREFIX);
}

/**
 * Whether a service tells of the router, or of the mesh beyond it: who comes over a link that is not
 * trusted may not call it. The probe says nothing that a link does not say by itself.
 */
export function isRevealing(service: string): boolean {
  return isReserved(service) && service !== PROBE_SERVICE;
}
