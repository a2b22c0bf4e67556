// Follows every link of a site that some web server hosts, in headless Chromium.
//
//     node links.mjs URL
//
// URL is the address of a folder that `publish --site` wrote, on a server that knows nothing of it. English
// pages are opened in the browser, which resolves their links; those of other languages and all files are
// asked for. Nothing may be missing, leave its folder, come shorter than announced, or ask anybody else.
// Prints what was wrong and ends with 1, or says what was seen. CHROMIUM names the browser.
import { chromium } from "playwright-core";

const base = new URL(process.argv[2].replace(/\/?$/, "/"));
const wrong = [];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
const context = await browser.newContext();
const page = await context.newPage();
let at = "";
page.on("console", (m) => wrong.push(`${at}: console ${m.type()}: ${m.text()}`));
page.on("pageerror", (error) => wrong.push(`${at}: ${error.message}`));
page.on("request", (r) => { if (!r.url().startsWith(base.href)) wrong.push(`${at} asks ${r.url()}`); });
page.on("response", (r) => { if (r.status() >= 400) wrong.push(`${at}: ${r.status()} for ${r.url()}`); });

const OTHER_LANGUAGES = /^(de|fr|es|ru|zh)\//;
const seen = new Set();
const queue = [new URL("index.html", base).href];
const others = new Set();
const counts = { opened: 0, asked: 0, bytes: 0 };

// Links as somebody finds them, and the file each leads to.
function take(from, links) {
  for (const { written, to } of links) {
    const url = new URL(to);
    if (url.origin !== base.origin) {
      if (url.protocol !== "https:") wrong.push(`${from}: ${written}`);
      others.add(url.href);
      continue;
    }
    url.hash = "";
    if (written.startsWith("/")) wrong.push(`${from}: ${written} is right only at the top of a server`);
    if (!url.href.startsWith(base.href)) wrong.push(`${from}: ${written} leaves the folder`);
    else if (!seen.has(url.href)) { seen.add(url.href); queue.push(url.href); }
  }
}
seen.add(queue[0]);

while (queue.length) {
  const url = queue.pop();
  at = url.slice(base.href.length);
  const isPage = at.endsWith(".html");
  if (isPage && !OTHER_LANGUAGES.test(at)) {
    await page.goto(url, { waitUntil: "load" });
    counts.opened += 1;
    take(at, await page.evaluate(() => [...document.querySelectorAll("[href],[src]")]
      .filter((e) => !(e.getAttribute("href") ?? "").startsWith("#"))
      .map((e) => ({ written: e.getAttribute("href") ?? e.getAttribute("src"), to: e.href?.baseVal ?? e.href ?? e.src }))));
    continue;
  }
  const answer = await context.request.get(url);
  const body = await answer.body();
  counts.asked += 1;
  counts.bytes += body.length;
  const announced = Number(answer.headers()["content-length"]);
  if (answer.status() !== 200) wrong.push(`${at}: ${answer.status()}`);
  else if (body.length === 0 || announced !== body.length) wrong.push(`${at}: ${body.length} bytes of ${announced}`);
  if (isPage) {
    const links = [...body.toString().matchAll(/ (?:href|src)="([^"#][^"]*)"/g)];
    take(at, links.map(([, written]) => ({ written, to: new URL(written, url).href })));
  }
}
await browser.close();
for (const needed of ["images/world-server.svg", "data.html", "zh/index.html"]) {
  if (!seen.has(new URL(needed, base).href)) wrong.push(`nothing leads to ${needed}`);
}
const attribution = [...others].some((to) => to.startsWith("https://db-ip.com"));
if (!attribution) wrong.push("no link to DB-IP");
console.log(`${counts.opened} pages opened, ${counts.asked} files asked for (${(counts.bytes / 1e6).toFixed(0)} MB), ${others.size} addresses of others`);
for (const line of wrong.slice(0, 60)) console.error(line);
process.exit(wrong.length ? 1 : 0);
