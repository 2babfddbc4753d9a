/**
 * A page that shows a mesh as it lives: who is there, how they are linked, what they offer, and what
 * passes. It joins the mesh itself, as a router of its own, over the WebSocket of the server that it
 * came from.
 *
 * @module
 */

export { dashboard, type DashboardOptions, type DashboardPages } from "./dashboard.ts";
