/**
 * The page's document. Nothing is ever put into it but by the page's own modules, as text.
 *
 * @module
 */

/** What stands for the path that the page joins the mesh at, and for the preloads of its modules. */
export const JOIN_MARK = "JOIN_PATH";
export const PRELOAD_MARK = "<!-- preload -->";
/** What stands for the page's first module. */
export const ENTRY_MARK = "ENTRY_MODULE";

/** The document, with marks in it. */
export const DOCUMENT: string = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="join" content="JOIN_PATH">
<title>ALN mesh</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cg fill='%232563c9' stroke='%232563c9'%3E%3Cpath d='M4 12 8 4l4 8z' fill='none'/%3E%3Ccircle cx='8' cy='4' r='2.5'/%3E%3Ccircle cx='4' cy='12' r='2.5'/%3E%3Ccircle cx='12' cy='12' r='2.5'/%3E%3C/g%3E%3C/svg%3E">
<link rel="stylesheet" href="dashboard.css">
<!-- preload -->
<script type="module" src="ENTRY_MODULE"></script>
</head>
<body>
<header class="top">
  <h1>ALN mesh</h1>
  <p id="state" role="status" data-state="joining">
    <span class="dot" aria-hidden="true"></span>
    <strong id="own-name" class="name"></strong>
    <span id="state-text" class="name"><noscript>needs JavaScript</noscript></span>
    <button id="retry" type="button" class="small" hidden>Try now</button>
  </p>
  <dl class="figures">
    <div><dt>Routers</dt><dd id="count-routers">–</dd></div>
    <div><dt>Services</dt><dd id="count-services">–</dd></div>
    <div><dt>Round trip</dt><dd id="round-trip">–</dd></div>
    <div class="wide"><dt>Packets/s</dt><dd><span id="rate">–</span>
      <svg id="curve" viewBox="0 0 72 20" width="72" height="20" aria-hidden="true"></svg></dd></div>
  </dl>
  <button id="connect-open" type="button">Connect…</button>
</header>

<nav role="tablist" aria-label="Views">
  <button id="tab-map" class="narrow-only" role="tab" aria-controls="panel-map">Map</button>
  <button id="tab-services" role="tab" aria-controls="panel-services">Services</button>
  <button id="tab-routes" role="tab" aria-controls="panel-routes">Routes</button>
  <button id="tab-packets" role="tab" aria-controls="panel-packets">Packets</button>
  <button id="tab-trace" role="tab" aria-controls="panel-trace">Trace</button>
  <button id="tab-problems" role="tab" aria-controls="panel-problems">Problems<span
    id="count-problems" class="badge" hidden></span></button>
</nav>

<section id="panel-map" class="panel" aria-label="Map of the mesh">
  <svg id="map" role="group" aria-label="Routers and their links: arrows go from one to the next, Enter shows details, T traces the way"></svg>
  <div id="crowd" class="scroll" hidden></div>
  <div class="map-tools" role="group" aria-label="Size of the map">
    <button id="map-in" type="button" aria-label="Larger">+</button>
    <button id="map-out" type="button" aria-label="Smaller">−</button>
    <button id="map-fit" type="button">Fit</button>
  </div>
  <aside id="card" aria-label="One router" hidden>
    <header>
      <h2 id="card-name" class="name"></h2>
      <button id="card-close" type="button" class="close" aria-label="Close">×</button>
    </header>
    <dl id="card-facts" class="facts"></dl>
    <table class="card-links">
      <thead><tr><th>Link to</th><th>By</th><th>Cost</th><th>Round trip</th></tr></thead>
      <tbody id="card-links"></tbody>
    </table>
    <ul id="card-services" class="chips"></ul>
    <p class="row">
      <button id="card-trace" type="button">Trace</button>
      <button id="card-ping" type="button">Ping</button>
      <output id="card-pong"></output>
    </p>
  </aside>
</section>

<section id="panel-services" class="panel" role="tabpanel" aria-labelledby="tab-services">
  <div class="bar-row">
    <input id="service-filter" type="search" placeholder="Filter services" aria-label="Filter services"
      autocomplete="off" spellcheck="false">
    <small id="services-more"></small>
  </div>
  <div class="scroll list">
    <p id="services-empty" class="empty">No router offers a service yet.</p>
    <p class="columns-head" aria-hidden="true"><span>Service, and where</span><span>Load</span><span></span><span>Distance</span></p>
    <ul id="services"></ul>
  </div>
  <form id="call-form" autocomplete="off">
    <div class="row">
      <label class="grow">Service
        <input id="call-service" required maxlength="255" spellcheck="false"></label>
      <label class="grow">At
        <input id="call-instance" list="instances" placeholder="any" maxlength="255" spellcheck="false"></label>
      <datalist id="instances"></datalist>
    </div>
    <label>Payload
      <textarea id="call-payload" rows="2" spellcheck="false"></textarea></label>
    <div class="row controls">
      <fieldset class="segments"><legend>Payload is</legend>
        <label><input type="radio" name="format" value="text" checked><span>text</span></label>
        <label><input type="radio" name="format" value="json"><span>JSON</span></label>
        <label><input type="radio" name="format" value="hex"><span>hex</span></label>
      </fieldset>
      <fieldset class="segments"><legend>Way of calling</legend>
        <label><input type="radio" name="mode" value="call" checked><span>call</span></label>
        <label><input type="radio" name="mode" value="stream"><span>stream</span></label>
        <label><input type="radio" name="mode" value="gather"><span>gather</span></label>
      </fieldset>
      <label class="inline">within <input id="call-timeout" type="number" min="0.1" max="3600" step="any"
        value="5" aria-label="Timeout in seconds"> s</label>
      <button id="call-send" class="primary">Send</button>
    </div>
    <p id="call-error" class="failure" role="alert"></p>
  </form>
  <div class="bar-row"><h2>Answers</h2>
    <button id="calls-clear" type="button" class="small">Clear</button></div>
  <div id="calls" class="scroll history" aria-live="polite"></div>
</section>

<section id="panel-routes" class="panel" role="tabpanel" aria-labelledby="tab-routes">
  <div class="bar-row">
    <input id="route-filter" type="search" placeholder="Filter routes" aria-label="Filter routes"
      autocomplete="off" spellcheck="false">
    <small id="routes-more"></small>
  </div>
  <div class="scroll">
    <p id="routes-empty" class="empty">No other router can be reached.</p>
    <table>
      <thead><tr><th>Router</th><th>Next hop</th><th>Hops</th><th>Link</th><th>Round trip</th><th>Age</th></tr></thead>
      <tbody id="routes"></tbody>
    </table>
  </div>
</section>

<section id="panel-packets" class="panel" role="tabpanel" aria-labelledby="tab-packets">
  <div class="bar-row wrap">
    <input id="log-filter" type="search" placeholder="srv:echo  src:desk*  -role:ack  size:>100"
      aria-label="Filter packets" autocomplete="off" spellcheck="false">
    <label class="check"><input id="log-routing" type="checkbox">routing</label>
    <label class="check"><input id="log-inspection" type="checkbox">inspection</label>
    <span class="buttons">
      <button id="log-pause" type="button" class="small" aria-pressed="false">Pause</button>
      <button id="log-clear" type="button" class="small">Clear</button>
      <button id="log-export" type="button" class="small">Export</button>
    </span>
    <small id="log-count" class="number"></small>
  </div>
  <p id="log-empty" class="empty">No packet that is to be shown has passed this page yet. What routers tell
    each other, and what this page asks them, is shown on request.</p>
  <div id="log" class="scroll" tabindex="0" role="group" aria-label="Packets, the latest last"></div>
  <div id="packet" class="packet" hidden>
    <header><h2 id="packet-time"></h2>
      <button id="packet-close" type="button" class="close" aria-label="Close">×</button></header>
    <dl id="packet-fields" class="facts"></dl>
    <pre id="packet-text" class="name"></pre>
    <pre id="packet-hex"></pre>
  </div>
</section>

<section id="panel-trace" class="panel" role="tabpanel" aria-labelledby="tab-trace">
  <form id="trace-form" class="bar-row" autocomplete="off">
    <input id="trace-target" list="addresses" required placeholder="Address of a router"
      aria-label="Address of a router" maxlength="255" spellcheck="false">
    <datalist id="addresses"></datalist>
    <button class="primary">Trace</button>
  </form>
  <div id="trace-result" class="scroll" aria-live="polite">
    <p class="empty">Shows each router on the way, and how long its links take. A double click on the map
      does the same.</p>
  </div>
</section>

<section id="panel-problems" class="panel" role="tabpanel" aria-labelledby="tab-problems">
  <div class="scroll">
    <p id="problems-empty" class="empty">Nothing is wrong that this page can see.</p>
    <ul id="problems"></ul>
  </div>
</section>

<dialog id="connect" aria-labelledby="connect-title">
  <header><h2 id="connect-title">Connect</h2>
    <button id="connect-close" type="button" class="close" aria-label="Close">×</button></header>
  <div class="columns">
    <div>
      <form id="connect-form" autocomplete="off">
        <label>URL
          <input id="connect-url" type="text" inputmode="url" required placeholder="ws://host:8080/"
            spellcheck="false" autofocus></label>
        <label>Key, if the router wants one
          <input id="connect-key" type="password" autocomplete="off"></label>
        <p id="connect-error" class="failure" role="alert"></p>
        <p class="row"><button class="primary">Connect</button></p>
      </form>
      <h3>Known</h3>
      <ul id="known" class="urls"></ul>
      <div id="beacons-heading" hidden><h3>Heard by the server</h3>
        <ul id="beacons" class="urls"></ul></div>
    </div>
    <div class="code">
      <svg id="qr" role="img" aria-label="QR code of the URL" shape-rendering="crispEdges"></svg>
      <p id="qr-text" class="name"></p>
      <fieldset class="segments"><legend>What the code says</legend>
        <label><input type="radio" name="qr" value="join" checked><span>URL to join</span></label>
        <label><input type="radio" name="qr" value="page"><span>this page</span></label>
      </fieldset>
    </div>
  </div>
</dialog>
</body>
</html>
`;
