// Walks through a site in headless Chromium and holds every page to what readers were promised.
//
//     node walk.mjs SITE [PICTURES]
//
// SITE is a folder as `publish` writes it, or the address of a running collector. Every kind of page in every language
// is opened at phone and desktop width, by day and by night: no message in the console, no request to anybody
// else, nothing wider than the screen, and nothing serious for axe-core (of translations it sees the world and a
// vendor, since they differ in words alone). Then the map by keyboard, the weeks, the colours, the pages without script, twice as large,
// and written from right to left. Prints what was wrong and ends with 1, or says what was seen.
// PICTURES takes screenshots. CHROMIUM names the browser; it is never downloaded.
import { createServer } from "node:http";
import { readFile, mkdir, readdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";
import path from "node:path";
import { chromium } from "playwright-core";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WORLD_KILOBYTES_MAX = 80;
const WIDTHS = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 900 } };
const [site, pictures] = process.argv.slice(2);
const wrong = [];
const fail = (where, what) => wrong.push(`${where}: ${what}`);

const KINDS = { html: "text/html", css: "text/css", js: "text/javascript", svg: "image/svg+xml" };
async function serve(folder) {
  const server = createServer(async (request, response) => {
    const at = decodeURIComponent(new URL(request.url, "http://x").pathname);
    // A page that stands alone has no icon; its policy, which is set aside here, keeps browsers from asking.
    if (at === "/favicon.ico") return response.writeHead(204).end();
    const file = path.join(folder, path.normalize(at.endsWith("/") ? `${at}index.html` : at));
    try {
      const kind = KINDS[file.split(".").pop()] ?? "application/octet-stream";
      const body = await readFile(file);
      response.writeHead(200, { "content-type": `${kind}; charset=utf-8` }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

const server = site.startsWith("http") ? { url: site.replace(/\/$/, ""), close() {} } : await serve(site);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});

// A page that keeps a list of what it should not do.
async function open(options, where) {
  // The page's policy forbids what a test puts in; the policy itself is looked at apart.
  const context = await browser.newContext({ bypassCSP: true, ...options });
  const page = await context.newPage();
  page.on("console", (m) => fail(where(), `console ${m.type()}: ${m.text()}`));
  page.on("pageerror", (error) => fail(where(), `error: ${error.message}`));
  page.on("request", (r) => {
    if (!r.url().startsWith(`${server.url}/`)) fail(where(), `asks ${r.url()}`);
  });
  page.on("response", (r) => {
    if (r.status() >= 400) fail(where(), `${r.status()} for ${r.url()}`);
  });
  return { context, page };
}

const english = [
  "index.html", "network.html", "owner.html", "vendors.html", "vendors/xiaomi.html", "vendors/sony.html",
  "vendors/xiaomi-owner.html", "countries.html", "countries/SG.html", "endpoints.html", "weeks.html",
  "method.html", "privacy.html", "data.html", "api.html",
];
if (!site.startsWith("http")) {
  // One of each kind whose names depend on the release.
  for (const kind of ["endpoints", "weeks"]) {
    const [first] = (await readdir(path.join(site, kind))).filter((f) => f.endsWith(".html")).sort();
    if (first) english.push(`${kind}/${first}`);
  }
}
const paths = [...english];
for (const tag of ["de", "fr", "es", "ru", "zh"]) paths.push(...english.map((at) => `${tag}/${at}`));
if (!site.startsWith("http")) {
  // The page in a release's own folder, which is there in English alone.
  const releases = await readdir(path.join(site, "releases"));
  paths.push(...releases.filter((id) => /^\d{4}-W/.test(id)).slice(0, 1).map((id) => `releases/${id}/index.html`));
}

// Every English page, and the Chinese and the Russian world.
async function picture(page, at, how) {
  if (!pictures || !(english.includes(at) || ["zh/index.html", "ru/index.html"].includes(at))) return;
  await mkdir(pictures, { recursive: true });
  const name = `${at.replace(".html", "").replace(/[^\w-]/g, "-")}-${how}.png`;
  await page.screenshot({ path: path.join(pictures, name), fullPage: true });
}

const TRANSLATED = /^(de|fr|es|ru|zh)\//;
let seen = 0;
for (const [width, viewport] of Object.entries(WIDTHS)) {
  for (const colorScheme of ["light", "dark"]) {
    let at = "";
    const { context, page } = await open({ viewport, colorScheme }, () => `${at} ${width} ${colorScheme}`);
    for (at of paths) {
      // Translations differ in words alone: once narrow by day, once wide by night.
      if (TRANSLATED.test(at) && (width === "phone") !== (colorScheme === "light")) continue;
      await page.goto(`${server.url}/${at}`, { waitUntil: "load" });
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (over > 0) fail(`${at} ${width}`, `${over} px wider than the screen`);
      seen += 1;
      await picture(page, at, `${width}-${colorScheme}`);
      if (TRANSLATED.test(at) && !/^..\/(index|vendors\/xiaomi)\.html$/.test(at)) continue;
      await page.evaluate(AXE);
      const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
      for (const { id, impact, nodes } of found.violations) {
        if (!["serious", "critical"].includes(impact)) continue;
        fail(`${at} ${width} ${colorScheme}`, `axe ${id} (${nodes.length}): ${nodes[0].html.slice(0, 160)} ${nodes[0].failureSummary?.slice(0, 200)}`);
      }
    }
    await context.close();
  }
}

// What the first page weighs, everything in it, as a server with compression sends it.
{
  const { context, page } = await open({}, () => "weight");
  let bytes = 0;
  const bodies = [];
  page.on("response", (r) => bodies.push(r.body().then((body) => { bytes += gzipSync(body).length; })));
  await page.goto(`${server.url}/index.html`, { waitUntil: "networkidle" });
  await Promise.all(bodies);
  const kilobytes = bytes / 1024;
  if (kilobytes > WORLD_KILOBYTES_MAX) fail("index.html", `${kilobytes.toFixed(1)} KB`);
  console.log(`index.html and all it loads: ${kilobytes.toFixed(1)} KB gzip of ${WORLD_KILOBYTES_MAX}`);
  await context.close();
}

// By keyboard: one tab stop on the map, arrows, letters, zoom, Enter.
{
  const { context, page } = await open({ viewport: WIDTHS.desktop }, () => "keyboard");
  await page.goto(`${server.url}/vendors/xiaomi.html`, { waitUntil: "networkidle" });
  const country = () => page.evaluate(() => document.activeElement?.dataset?.country);
  for (let i = 0; i < 80 && !(await country()); i += 1) await page.keyboard.press("Tab");
  const first = await country();
  if (!first) fail("keyboard", "Tab never reaches the map");
  if (!(await page.locator(".tip").isVisible())) fail("keyboard", "no words beside a focused country");
  await page.keyboard.press("ArrowLeft");
  const second = await country();
  if (!second || second === first) fail("keyboard", `ArrowLeft stays on ${first}`);
  await page.keyboard.type("sing");
  if ((await country()) !== "SG") fail("keyboard", `letters lead to ${await country()}, not SG`);
  const stops = await page.locator("svg.world [tabindex='0']").count();
  if (stops !== 1) fail("keyboard", `${stops} tab stops on the map`);
  const before = await page.locator("svg.world").getAttribute("viewBox");
  await page.keyboard.press("+");
  if ((await page.locator("svg.world").getAttribute("viewBox")) === before) fail("keyboard", "no zoom");
  await page.keyboard.press("0");
  if ((await page.locator("svg.world").getAttribute("viewBox")) !== before) fail("keyboard", "no way back");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/countries/SG.html", { timeout: 5000 }).catch(() => fail("keyboard", "Enter opens nothing"));
  await context.close();
}

// Colours by hand outlive a page; the week slider puts another week in place.
{
  const { context, page } = await open({ colorScheme: "light" }, () => "switches");
  await page.goto(`${server.url}/index.html`, { waitUntil: "networkidle" });
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const day = await paper();
  await page.locator(".top button").click();
  const night = await paper();
  if (day === night) fail("switches", "no dark");
  await page.goto(`${server.url}/method.html`, { waitUntil: "networkidle" });
  if ((await paper()) !== night) fail("switches", "dark is forgotten");
  await page.goto(`${server.url}/index.html`, { waitUntil: "networkidle" });
  const slider = page.locator("nav.weeks input");
  if (await slider.count()) {
    const release = () => page.locator("svg.world").getAttribute("data-release");
    const newest = await release();
    await slider.focus();
    await page.keyboard.press("Home");
    await page.waitForFunction((of) => document.querySelector("svg.world").dataset.release !== of, newest, { timeout: 5000 })
      .catch(() => fail("switches", "the slider changes nothing"));
    console.log(`weeks: ${newest} to ${await release()}`);
  }
  await context.close();
}

// Without script: tables and ways to everything; and the policy in force says what it should.
{
  const { context, page } = await open({ javaScriptEnabled: false, bypassCSP: false }, () => "no script");
  await page.goto(`${server.url}/vendors/xiaomi.html`);
  if ((await page.locator("table.numbers tbody tr").count()) === 0) fail("no script", "no table");
  if ((await page.locator("#downloads ~ ul a").count()) < 3) fail("no script", "no downloads");
  if (await page.locator(".hint").isVisible()) fail("no script", "promises keys that do nothing");
  const policy = await page.locator("meta[http-equiv]").getAttribute("content");
  if (!policy.startsWith("default-src 'none'") || policy.includes("unsafe")) fail("no script", policy);
  await context.close();
}

// Under the policy as it is: the script runs, and an inline one does not.
{
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${server.url}/index.html`, { waitUntil: "networkidle" });
  if ((await page.locator(".top button").count()) !== 1) fail("policy", "our own script does not run");
  const ran = await page.evaluate(() => {
    const inline = document.createElement("script");
    inline.textContent = "window.ran = true";
    document.body.append(inline);
    return window.ran === true;
  });
  if (ran) fail("policy", "an inline script runs");
  await context.close();
}

// From right to left: nothing overflows, and what began on the left begins on the right.
for (const viewport of Object.values(WIDTHS)) {
  const { context, page } = await open({ viewport }, () => "right to left");
  for (const at of ["index.html", "vendors/xiaomi.html", "weeks.html"]) {
    await page.goto(`${server.url}/${at}`, { waitUntil: "networkidle" });
    await page.evaluate(() => { document.documentElement.dir = "rtl"; });
    const { over, brand, middle } = await page.evaluate(() => ({
      over: document.documentElement.scrollWidth - innerWidth,
      brand: document.querySelector(".brand").getBoundingClientRect().left,
      middle: innerWidth / 2,
    }));
    if (over > 0) fail(`${at} right to left`, `${over} px wider than the screen`);
    if (brand < middle) fail(`${at} right to left`, "begins on the left");
  }
  await context.close();
}

// Twice as large as usual, and as narrow as the smallest phone: nothing is cut off, nothing lies over another.
for (const viewport of [{ width: 640, height: 450 }, { width: 320, height: 640 }]) {
  const { context, page } = await open({ viewport, deviceScaleFactor: 2 }, () => `${viewport.width} px`);
  for (const at of ["index.html", "vendors/xiaomi.html", "ru/data.html", "de/countries/SG.html"]) {
    await page.goto(`${server.url}/${at}`, { waitUntil: "load" });
    const { over, lost } = await page.evaluate(() => ({
      over: document.documentElement.scrollWidth - innerWidth,
      // Text that its own box hides, where no scrolling leads to it.
      lost: [...document.querySelectorAll("h1,h2,p,li,dt,dd")].filter((e) =>
        e.offsetParent && getComputedStyle(e).overflowX === "hidden" && e.scrollWidth > e.clientWidth).length,
    }));
    if (over > 0) fail(`${at} ${viewport.width} px`, `${over} px wider than the screen`);
    if (lost > 0) fail(`${at} ${viewport.width} px`, `${lost} texts cut off`);
  }
  await context.close();
}

await browser.close();
server.close();
console.log(`${seen} pages seen, ${wrong.length} complaints`);
for (const line of wrong.slice(0, 60)) console.error(line);
process.exit(wrong.length ? 1 : 0);
