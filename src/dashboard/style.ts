/**
 * The page's style: light and dark, for a desk and for a phone.
 *
 * @module
 */

/** One accent colour, a grid of 4 px, figures of one width. */
export const STYLE: string = `
:root {
  color-scheme: light dark;
  --ground: #f6f7f9;
  --surface: #ffffff;
  --raised: #ffffff;
  --line: #e1e5ea;
  --strong-line: #c6cdd6;
  --text: #1b222c;
  --dim: #5c6775;
  --accent: #2563c9;
  --on-accent: #ffffff;
  --tint: #e8effb;
  --node: #8593a5;
  --edge: #b9c2cd;
  --good: #1f8a4c;
  --warn: #a86200;
  --bad: #c2312b;
  --shadow: 0 1px 2px rgb(20 30 45 / 8%), 0 8px 24px rgb(20 30 45 / 12%);
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #11151a;
    --surface: #181d24;
    --raised: #1e242c;
    --line: #29313b;
    --strong-line: #3d4854;
    --text: #e3e8ee;
    --dim: #95a1b0;
    --accent: #6ea4f5;
    --on-accent: #0d1524;
    --tint: #1e2c44;
    --node: #76859a;
    --edge: #414c5a;
    --good: #4dbd7c;
    --warn: #dda446;
    --bad: #f0776f;
    --shadow: 0 1px 2px rgb(0 0 0 / 40%), 0 8px 24px rgb(0 0 0 / 40%);
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html, body { height: 100%; }
body {
  margin: 0;
  display: grid;
  grid-template: 48px 40px minmax(0, 1fr) / minmax(0, 1fr) clamp(440px, 42vw, 600px);
  grid-template-areas: "top top" "map tabs" "map panel";
  background: var(--ground);
  color: var(--text);
  font: 13px/20px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums;
  -webkit-text-size-adjust: 100%;
}
h1, h2, h3, p, ul, ol, dl, dd, fieldset { margin: 0; padding: 0; }
h1 { font-size: 15px; font-weight: 650; letter-spacing: -.01em; white-space: nowrap; }
h2 { font-size: 13px; font-weight: 600; }
h3 { font-size: 12px; font-weight: 600; color: var(--dim); margin: 16px 0 4px; }
ul, ol { list-style: none; }
small { font-size: 12px; line-height: 16px; color: var(--dim); }
pre { margin: 0; font: 12px/16px ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.name { unicode-bidi: isolate; overflow-wrap: anywhere; }
.dim { color: var(--dim); }
.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.empty { color: var(--dim); padding: 24px 16px; text-align: center; text-wrap: balance; }
.failure { color: var(--bad); }
.grow { flex: 1 1 0; min-width: 0; }
.scroll { overflow: auto; min-height: 0; overscroll-behavior: contain; scrollbar-width: thin;
  scrollbar-color: var(--strong-line) transparent; }

/* ── controls ── */
button, input, textarea { font: inherit; color: inherit; }
button { cursor: pointer; border: 1px solid var(--strong-line); border-radius: 6px; padding: 0 12px;
  min-height: 32px; background: var(--raised); white-space: nowrap; }
button:hover { background: var(--tint); }
button.small { min-height: 24px; padding: 0 8px; font-size: 12px; line-height: 16px; }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600; }
button.primary:hover { filter: brightness(1.08); }
button.link { border: 0; background: none; padding: 0; min-height: 24px; text-align: start; white-space: normal; }
button.link:hover { color: var(--accent); text-decoration: underline; }
button.close { border: 0; background: none; padding: 0; width: 24px; min-height: 24px; font-size: 18px; color: var(--dim); }
button[aria-pressed="true"]:not(.instance) { background: var(--tint); border-color: var(--accent); color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
input:not([type="radio"], [type="checkbox"]), textarea {
  width: 100%; border: 1px solid var(--strong-line); border-radius: 6px; padding: 5px 8px;
  background: var(--surface); }
textarea { display: block; resize: vertical; min-height: 32px; max-height: 160px;
  font: 12px/16px ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; padding: 7px 8px; }
input::placeholder { color: var(--dim); opacity: .8; }
label { font-size: 12px; line-height: 16px; color: var(--dim); display: block; }
label > input:not([type]), label > input[type="text"], label > input[type="password"], label > textarea {
  margin-top: 4px; font-size: 13px; color: var(--text); }
label.inline { display: flex; align-items: center; gap: 4px; white-space: nowrap; }
label.inline input { width: 52px; text-align: end; color: var(--text); appearance: textfield; }
label.inline input::-webkit-inner-spin-button { appearance: none; }
label.check { display: flex; align-items: center; gap: 4px; white-space: nowrap; min-height: 24px; cursor: pointer; }
input[type="checkbox"] { accent-color: var(--accent); margin: 0; width: 14px; height: 14px; }
.row { display: flex; gap: 8px; align-items: center; }
.bar-row { display: flex; gap: 8px; align-items: center; padding: 8px 12px; border-bottom: 1px solid var(--line); }
.bar-row small { white-space: nowrap; }
.bar-row small:empty { display: none; }
.bar-row h2 { flex: 1; }
.segments { border: 1px solid var(--strong-line); border-radius: 6px; display: inline-flex; overflow: hidden; }
.segments legend { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.segments label { position: relative; cursor: pointer; }
.segments input { position: absolute; opacity: 0; inset: 0; margin: 0; cursor: pointer; }
.segments span { display: block; padding: 7px 10px; color: var(--text); }
.segments label + label span { border-inline-start: 1px solid var(--line); }
.segments input:checked + span { background: var(--tint); color: var(--accent); font-weight: 600; }
.segments input:focus-visible + span { outline: 2px solid var(--accent); outline-offset: -2px; }
.badge { display: inline-block; min-width: 16px; padding: 0 4px; margin-inline-start: 6px; border-radius: 8px;
  background: var(--warn); color: var(--surface); font-size: 11px; line-height: 16px; font-weight: 600; text-align: center; }

/* ── the top ── */
.top { grid-area: top; display: flex; align-items: center; gap: 24px; padding: 0 16px;
  background: var(--surface); border-bottom: 1px solid var(--line); }
#state { flex: 1; min-width: 0; display: flex; align-items: center; gap: 8px; }
#state strong { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; max-width: 240px; }
#state-text { color: var(--dim); white-space: nowrap; overflow: hidden; text-overflow: ellipsis; min-width: 0; }
.dot { flex: none; width: 8px; height: 8px; border-radius: 50%; background: var(--node); }
[data-state="joined"] .dot { background: var(--good); }
[data-state="lost"] .dot { background: var(--bad); }
[data-state="lost"] #state-text { color: var(--bad); }
.figures { display: flex; gap: 20px; }
.figures div { display: flex; align-items: baseline; gap: 6px; white-space: nowrap; }
.figures dt { font-size: 12px; color: var(--dim); }
.figures dd { font-weight: 600; min-width: 16px; }
#rate { display: inline-block; min-width: 24px; text-align: end; }
#curve { vertical-align: -5px; margin-inline-start: 4px; }
#curve path { fill: none; stroke: var(--accent); stroke-width: 1.25; }

/* ── tabs ── */
[role="tablist"] { grid-area: tabs; display: flex; padding: 0 4px; gap: 0; background: var(--surface);
  border-inline-start: 1px solid var(--line); border-bottom: 1px solid var(--line); }
[role="tab"] { border: 0; border-radius: 0; background: none; padding: 0 12px; color: var(--dim); position: relative; }
[role="tab"]:hover { color: var(--text); background: none; }
[role="tab"]:focus-visible { outline-offset: -3px; }
[role="tab"][aria-selected="true"] { color: var(--text); font-weight: 600; }
[role="tab"][aria-selected="true"]::after { content: ""; position: absolute; inset: auto 12px -1px; height: 2px;
  background: var(--accent); border-radius: 1px; }
.narrow-only { display: none; }

/* ── panels ── */
.panel { grid-area: panel; display: none; min-width: 0; min-height: 0; flex-direction: column;
  background: var(--surface); border-inline-start: 1px solid var(--line); }
.panel.open { display: flex; }
#panel-map { grid-area: map; display: block; position: relative; background: var(--ground); border: 0; overflow: hidden; }
table { width: 100%; border-collapse: collapse; }
th { text-align: start; font-size: 12px; font-weight: 500; color: var(--dim); padding: 6px 8px; white-space: nowrap; }
td { padding: 3px 8px; border-top: 1px solid var(--line); }
th:first-child, td:first-child { padding-inline-start: 16px; }
th:last-child, td:last-child { padding-inline-end: 16px; }
#panel-routes thead { position: sticky; top: 0; background: var(--surface); z-index: 1; box-shadow: 0 1px 0 var(--line); }
#panel-routes :is(th, td):is(:nth-child(3), :nth-child(5), :nth-child(6)) { text-align: end; white-space: nowrap; }
#routes-empty:not([hidden]) + table { display: none; }

/* ── map ── */
#map { position: absolute; inset: 0; width: 100%; height: 100%; touch-action: none; user-select: none; cursor: grab; }
#map:active { cursor: grabbing; }
.edge { fill: none; stroke: var(--edge); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.edge.learned { stroke-dasharray: 4 4; }
.edge.half-open { stroke: var(--warn); }
.edge.near { stroke: var(--accent); }
.edge.traced { stroke: var(--accent); stroke-width: 3; }
.pulse { fill: var(--accent); pointer-events: none; }
#map text { text-anchor: middle; pointer-events: none; paint-order: stroke; stroke: var(--ground); stroke-width: 4px;
  stroke-linejoin: round; }
.link-label { fill: var(--dim); }
.many-links .link-label:not(.near), .moving .link-label, .link-label.short { display: none; }
.node { cursor: pointer; outline: none; }
.node circle { fill: var(--node); stroke: var(--ground); stroke-width: 2; }
.node .name { fill: var(--text); }
.node .halo { fill: transparent; stroke: none; }
.node.self circle:not(.halo) { fill: var(--accent); }
.node.silent circle:not(.halo) { fill: var(--ground); stroke: var(--node); stroke-width: 1.5; stroke-dasharray: 3 2; }
.hub circle { fill: var(--ground); stroke: var(--node); stroke-width: 2; }
.hub .name { fill: var(--muted); }
.node:hover circle:not(.halo), .node.selected circle:not(.halo) { stroke: var(--accent); }
.node:is(:hover, .selected) .name { font-weight: 600; }
.node:focus-visible .halo, .node.selected .halo { fill: color-mix(in srgb, var(--accent) 14%, transparent); }
.node:focus-visible .halo { stroke: var(--accent); stroke-width: 2; }
.dense .node:not(.self, .near, .landmark, .selected, :hover, :focus-visible) .name { display: none; }
.map-tools { position: absolute; inset-block-end: 12px; inset-inline-end: 12px; display: flex;
  border: 1px solid var(--strong-line); border-radius: 6px; overflow: hidden; background: var(--raised); }
.map-tools button { border: 0; border-radius: 0; min-width: 32px; padding: 0 8px; }
.map-tools button + button { border-inline-start: 1px solid var(--line); }
.map-tools :focus-visible { outline-offset: -2px; }
#crowd { position: absolute; inset: 0; }
.crowd-row { position: absolute; left: 0; right: 0; top: 0; height: 28px; min-height: 0; border: 0; border-radius: 0;
  border-bottom: 1px solid var(--line); background: none; text-align: start; overflow: hidden; text-overflow: ellipsis; }
#card { position: absolute; inset-block-start: 12px; inset-inline-start: 12px; width: 304px; max-width: calc(100% - 24px);
  max-height: calc(100% - 24px); overflow: auto; background: var(--raised); border: 1px solid var(--line);
  border-radius: 8px; box-shadow: var(--shadow); padding: 12px 16px; display: grid; gap: 8px; align-content: start; }
#card header, dialog header, .packet header { display: flex; justify-content: space-between; align-items: start; gap: 8px; }
#card h2 { font-size: 15px; min-width: 0; }
#card table { font-size: 12px; }
#card :is(th, td) { padding: 2px 4px; }
#card :is(th, td):first-child { padding-inline-start: 0; overflow-wrap: anywhere; }
#card :is(th, td):nth-child(n+3) { text-align: end; white-space: nowrap; padding-inline-end: 0; }
#card.gone { opacity: .7; }
.facts { display: grid; gap: 2px 12px; font-size: 12px; line-height: 16px; }
.facts div { display: grid; grid-template-columns: 72px minmax(0, 1fr); gap: 8px; }
.facts dt { color: var(--dim); }
.chips { display: flex; flex-wrap: wrap; gap: 4px; }
.chip { min-height: 24px; padding: 0 8px; font-size: 12px; line-height: 16px; border-color: var(--line); max-width: 100%;
  white-space: normal; text-align: start; }
.space { position: relative; min-width: 100%; overflow: hidden; }

/* ── services ── */
#panel-services > .list { flex: 1 1 45%; min-height: 96px; }
#panel-services > .history { flex: 1 1 40%; min-height: 96px; padding: 0 12px 12px; }
#panel-services > .bar-row:first-child { border-bottom: 1px solid var(--line); }
.service { padding: 4px 0; border-bottom: 1px solid var(--line); }
.pick, .instance { display: flex; width: 100%; border: 0; border-radius: 0; background: none; text-align: start;
  align-items: center; gap: 8px; min-height: 24px; padding: 0 16px; white-space: normal; }
.pick { font-weight: 600; }
.pick small { font-weight: 400; }
.instance { padding-inline-start: 28px; display: grid; grid-template-columns: minmax(0, 1fr) 72px 44px 52px; }
.instance .number { text-align: end; }
.instance[aria-pressed="true"] { background: var(--tint); }
.columns-head { position: sticky; top: 0; z-index: 1; background: var(--surface); display: grid; grid-template-columns: minmax(0, 1fr) 72px 44px 52px; gap: 8px; padding: 6px 16px;
  font-size: 12px; line-height: 16px; color: var(--dim); border-bottom: 1px solid var(--line); }
.columns-head :last-child { text-align: end; }
#services-empty:not([hidden]) + .columns-head { display: none; }
.load { height: 4px; border-radius: 2px; background: var(--line); overflow: hidden; }
.bar { display: block; height: 100%; border-radius: 2px; background: var(--node); }
.instance[aria-pressed="true"] .bar { background: var(--accent); }
#call-form { padding: 12px; display: grid; gap: 8px; border-block: 1px solid var(--line); background: var(--ground); }
#panel-services #call-form .row.controls { flex-wrap: wrap; }
#call-send { margin-inline-start: auto; min-width: 72px; }
#call-error:empty, #connect-error:empty { display: none; }
#calls:empty::after { content: "What you call, and what it answers, shows here."; display: block; padding: 16px;
  text-align: center; color: var(--dim); }
#panel-services > .bar-row:has(+ #calls) { border: 0; }
.call { padding: 8px 0; border-top: 1px solid var(--line); }
.call:first-child { border-top: 0; }
.call header { display: flex; gap: 8px; align-items: baseline; }
.call header strong { min-width: 0; flex: 0 1 auto; }
.call-state { flex: 1; color: var(--dim); font-size: 12px; white-space: nowrap; text-align: end; }
.call[data-state="failed"] .call-state { color: var(--bad); }
.call .stop { border-color: var(--bad); color: var(--bad); }
.sent { color: var(--dim); font: 12px/16px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.sent::before { content: "→ "; }
.call ol { max-height: 240px; overflow: auto; scrollbar-width: thin; margin-top: 4px; }
.call li { display: flex; gap: 12px; align-items: baseline; justify-content: space-between; padding: 2px 0; }
.call li pre { min-width: 0; }
.call li small { flex: none; max-width: 50%; text-align: end; }
.call .failure pre { color: var(--bad); }

/* ── packets ── */
.wrap { flex-wrap: wrap; }
.wrap > input[type="search"] { flex: 1 1 100%; }
.buttons { display: flex; gap: 4px; margin-inline-start: auto; }
#log-count { min-width: 40px; text-align: end; }
#log { flex: 1 1 60%; min-height: 72px; position: relative; }
#log:focus-visible { outline-offset: -2px; }
#log-empty:not([hidden]) + #log { display: none; }
.packet-row { position: absolute; inset: 0 0 auto; height: 24px; line-height: 24px; display: grid; padding: 0 12px;
  grid-template-columns: 84px 12px minmax(64px, 3fr) minmax(48px, 2fr) 52px minmax(0, 3fr); gap: 8px; font-size: 12px;
  border-bottom: 1px solid var(--line); cursor: pointer; contain: strict; }
.packet-row span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; unicode-bidi: isolate; }
.packet-row:hover { background: var(--ground); }
.packet-row.selected { background: var(--tint); }
.p-time, .p-size, .p-preview { color: var(--dim); }
.p-size { text-align: end; }
.p-preview { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 11px; }
[data-direction="out"] .p-way { color: var(--accent); }
.packet { flex: 1 1 40%; min-height: 0; overflow: auto; scrollbar-width: thin; border-top: 1px solid var(--strong-line);
  padding: 12px; display: grid; gap: 8px; align-content: start; }
.packet .facts { grid-template-columns: 1fr 1fr; }
.packet pre { background: var(--ground); border-radius: 6px; padding: 8px; }
.packet pre:empty { display: none; }
#packet-hex { font-size: 11px; overflow-x: auto; white-space: pre; overflow-wrap: normal; }

/* ── trace, problems ── */
#trace-result { padding: 16px; }
.verdict { margin-bottom: 12px; }
.hop { position: relative; display: grid; grid-template-columns: 24px auto 1fr; gap: 0 8px; align-items: baseline;
  padding-bottom: 4px; }
.hop-number { width: 24px; height: 24px; border-radius: 50%; background: var(--tint); color: var(--accent);
  font-size: 12px; font-weight: 600; line-height: 24px; text-align: center; }
.hop small { text-align: end; }
.hop-link { grid-column: 2 / -1; color: var(--dim); font-size: 12px; padding: 4px 0 8px; }
.hop:has(.hop-link)::before { content: ""; position: absolute; inset: 26px auto 0 11px; width: 2px; background: var(--line); }
.hop.silent .hop-number { background: none; box-shadow: inset 0 0 0 1.5px var(--bad); color: var(--bad); }
.problem { padding: 8px 16px; border-bottom: 1px solid var(--line); border-inline-start: 3px solid transparent; }
.problem header { display: flex; gap: 8px; justify-content: space-between; align-items: baseline; }
.problem[data-severity="error"] { border-inline-start-color: var(--bad); }
.problem[data-severity="warning"] { border-inline-start-color: var(--warn); }
.problem[data-severity="note"] { border-inline-start-color: var(--line); }
.problem p { font-size: 12px; line-height: 16px; }

/* ── the dialog ── */
dialog { border: 1px solid var(--line); border-radius: 12px; padding: 16px 20px 20px; width: min(640px, calc(100% - 24px));
  background: var(--raised); color: var(--text); box-shadow: var(--shadow); }
dialog::backdrop { background: rgb(10 15 25 / 40%); }
dialog h2 { font-size: 15px; }
.columns { display: grid; grid-template-columns: minmax(0, 1fr) 200px; gap: 24px; margin-top: 8px; }
dialog form { display: grid; gap: 12px; }
.urls li { display: flex; justify-content: space-between; gap: 8px; align-items: baseline; }
.urls [aria-current="true"] { color: var(--accent); font-weight: 600; }
.code { display: grid; gap: 8px; justify-items: center; align-content: start; }
#qr { width: 200px; height: 200px; background: #fff; border-radius: 8px; border: 1px solid var(--line); }
#qr path { fill: #000; }
#qr-text { font-size: 12px; line-height: 16px; text-align: center; color: var(--dim); max-width: 200px; }

/* ── a phone ── */
@media (max-width: 1180px) { .figures .wide { display: none; } }
@media (max-width: 899px) {
  body { grid-template: auto minmax(0, 1fr) 52px / minmax(0, 1fr); grid-template-areas: "top" "panel" "tabs"; height: 100dvh; }
  .top { flex-wrap: wrap; gap: 4px 12px; padding: 8px 12px; }
  .top h1 { display: none; }
  #state { flex: 1 1 auto; width: 0; }
  .figures { order: 3; width: 100%; gap: 8px 16px; }
  .figures dt { font-size: 11px; }
  .figures .wide { display: flex; }
  #curve { display: none; }
  #rate { min-width: 0; }
  [role="tablist"] { border: 0; border-top: 1px solid var(--line); padding: 0; justify-content: space-between;
    padding-bottom: env(safe-area-inset-bottom); }
  [role="tab"] { flex: 1 1 auto; padding: 0 2px; font-size: 12px; min-height: 52px; }
  [role="tab"][aria-selected="true"]::after { inset: -1px 8px auto; }
  .badge { position: absolute; inset: 4px 2px auto auto; margin: 0; }
  .narrow-only { display: block; }
  .panel { border: 0; }
  #panel-map { grid-area: panel; display: none; }
  #panel-map.open { display: block; }
  #card { inset: auto 0 0; width: 100%; max-width: none; max-height: 62%; border-radius: 12px 12px 0 0; }
  #panel-services > .list { flex-basis: 30%; }
  .segments span { padding: 7px 8px; }
  .packet-row { grid-template-columns: 84px 12px minmax(0, 3fr) minmax(0, 2fr); }
  .packet-row .p-size, .packet-row .p-preview { display: none; }
  #log-count { display: none; }
  .columns { grid-template-columns: minmax(0, 1fr); }
  .instance { padding-inline-start: 20px; }
  #panel-routes :is(th, td):is(:nth-child(4)) { display: none; }
  input:not([type="radio"], [type="checkbox"]), textarea,
  label > input:not([type]), label > input[type="text"], label > input[type="password"], label > textarea { font-size: 16px; }
}
@media (prefers-reduced-motion: reduce) { * { transition: none !important; animation: none !important; } }
`;
