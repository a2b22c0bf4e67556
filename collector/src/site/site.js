// What makes the pages better where scripts run; without it they are whole. It asks nobody for anything
// but pages of this site. Words come from the page, in its language.
const root = document.documentElement;
const words = document.querySelector(".top")?.dataset ?? {};

// --- light and dark -------------------------------------------------------------------------------

const stored = () => {
  try { return localStorage.getItem("theme"); } catch { return null; }
};
const store = (theme) => {
  try { localStorage.setItem("theme", theme); } catch { /* a browser that keeps nothing */ }
};
const isDark = () =>
  root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme:dark)").matches;

if (["light", "dark"].includes(stored())) root.dataset.theme = stored();
const theme = button(words.theme, "◐", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  theme.setAttribute("aria-pressed", String(isDark()));
  store(root.dataset.theme);
});
theme.setAttribute("aria-pressed", String(isDark()));
document.querySelector(".brand")?.after(theme);

function button(label, sign, pressed) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = sign;
  made.title = label ?? "";
  made.setAttribute("aria-label", label ?? "");
  made.addEventListener("click", pressed);
  return made;
}

// --- the map --------------------------------------------------------------------------------------

const TYPED_MS = 1000;
const ZOOM_STEP = 1.6;
const ZOOM_MAX = 12;

function enliven(figure) {
  const svg = figure.querySelector("svg.world");
  const stage = figure.querySelector(".stage");
  if (!svg || !stage) return;
  const countries = [...svg.querySelectorAll("[data-country]")];
  const names = new Map(countries.map((c) => [c, c.querySelector("title").textContent]));
  const first = countries.filter((c) => c.dataset.share > 0)
    .sort((a, b) => b.dataset.share - a.dataset.share)[0] ?? countries[0];
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  stage.append(tip);

  // One tab stop, which the arrows move.
  let stop = first;
  stop.setAttribute("tabindex", "0");
  const go = (to) => {
    if (!to) return;
    stop.setAttribute("tabindex", "-1");
    stop = to;
    stop.setAttribute("tabindex", "0");
    stop.focus();
  };

  // Tooltips: the title's own words, at once and by keyboard too.
  const show = (country) => {
    tip.textContent = names.get(country);
    tip.hidden = false;
    const [box, at] = [stage.getBoundingClientRect(), country.getBoundingClientRect()];
    const x = Math.min(Math.max(at.left + at.width / 2 - box.left, 0), box.width);
    const y = Math.min(Math.max(at.bottom - box.top, 0), box.height);
    const left = Math.max(0, Math.min(x - tip.offsetWidth / 2, box.width - tip.offsetWidth));
    tip.style.setProperty("left", `${left}px`);
    tip.style.setProperty("top", `${y + 6}px`);
  };
  const hide = () => { tip.hidden = true; };
  svg.addEventListener("focusin", (e) => show(e.target.closest("[data-country]") ?? stop));
  svg.addEventListener("focusout", hide);
  svg.addEventListener("pointerover", (e) => {
    const over = e.target.closest("[data-country]");
    if (over) show(over); else hide();
  });
  svg.addEventListener("pointerleave", hide);
  const open = (country) => {
    const page = `${figure.dataset.pages}${country.dataset.country}.html`;
    if (country.dataset.state !== "zero") location.assign(page);
  };
  svg.addEventListener("click", (e) => {
    const on = e.target.closest("[data-country]");
    if (on) go(on);
  });
  svg.addEventListener("dblclick", (e) => {
    const on = e.target.closest("[data-country]");
    if (on) open(on);
  });

  // The next country in a direction: near, and not far aside.
  const middle = (c) => {
    const box = (c.querySelector("circle") ?? c).getBBox();
    return [box.x + box.width / 2, box.y + box.height / 2];
  };
  const next = (dx, dy) => {
    const [x, y] = middle(stop);
    let best = null;
    let least = Infinity;
    for (const country of countries) {
      const [cx, cy] = middle(country);
      const along = (cx - x) * dx + (cy - y) * dy;
      const aside = Math.abs((cx - x) * dy) + Math.abs((cy - y) * dx);
      const cost = along + 2 * aside;
      if (country !== stop && along > 1 && cost < least) [best, least] = [country, cost];
    }
    return best;
  };

  // Zoom by viewBox.
  const whole = svg.getAttribute("viewBox").split(" ").map(Number);
  let view = [...whole];
  const zoom = (factor) => {
    const at = stop.getBBox();
    const unit = whole[2] / 9600;
    const centre = factor === 0 ? null : [(at.x + at.width / 2) * unit, (at.y + at.height / 2) * unit];
    const width = centre ? Math.min(whole[2], Math.max(whole[2] / ZOOM_MAX, view[2] / factor)) : whole[2];
    const height = width * whole[3] / whole[2];
    const place = (middle, size, all) => Math.max(0, Math.min(middle - size / 2, all - size));
    view = centre
      ? [place(centre[0], width, whole[2]), place(centre[1], height, whole[3]), width, height]
      : [...whole];
    svg.setAttribute("viewBox", view.map((n) => Number(n.toFixed(1))).join(" "));
  };
  const tools = document.createElement("div");
  tools.className = "tools";
  tools.append(
    button(words.in, "+", () => zoom(ZOOM_STEP)),
    button(words.out, "−", () => zoom(1 / ZOOM_STEP)),
    button(words.whole, "◯", () => zoom(0)),
  );
  stage.before(tools);

  // Letters jump to the next country that begins so.
  let typed = "";
  let last = 0;
  const find = (letter, now) => {
    typed = now - last < TYPED_MS ? typed + letter : letter;
    last = now;
    const sought = typed.toLocaleLowerCase(root.lang);
    const begins = (c) => names.get(c).toLocaleLowerCase(root.lang).startsWith(sought);
    const from = countries.indexOf(stop) + (typed.length === 1 ? 1 : 0);
    return [...countries.slice(from), ...countries.slice(0, from)].find(begins);
  };
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  svg.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (arrows[e.key]) go(next(...arrows[e.key]));
    else if (e.key === "Home") go(first);
    else if (e.key === "Enter") open(stop);
    else if (e.key === "Escape") hide();
    else if (e.key === "+" || e.key === "-") zoom(e.key === "+" ? ZOOM_STEP : 1 / ZOOM_STEP);
    else if (e.key === "0") zoom(0);
    else if (e.key.length === 1 && e.key.trim()) go(find(e.key, e.timeStamp));
    else return;
    e.preventDefault();
  });
  figure.querySelector(".hint")?.removeAttribute("hidden");
}
document.querySelectorAll("figure.map").forEach(enliven);

// --- weeks ----------------------------------------------------------------------------------------

// The list of weeks becomes a slider; moving it puts that week's page in this one's place.
const weeks = document.querySelector("nav.weeks");
if (weeks) {
  const links = [...weeks.querySelectorAll("a")];
  const slider = document.createElement("input");
  slider.type = "range";
  slider.min = "0";
  slider.max = String(links.length - 1);
  slider.value = String(Math.max(0, links.findIndex((a) => a.getAttribute("aria-current"))));
  slider.setAttribute("aria-label", words.week ?? "");
  const say = () => slider.setAttribute("aria-valuetext", links[slider.value].textContent);
  say();
  slider.addEventListener("input", say);
  slider.addEventListener("change", async () => {
    const to = links[slider.value].href;
    const there = await fetch(to);
    if (!there.ok) return location.assign(to);
    const page = new DOMParser().parseFromString(await there.text(), "text/html");
    for (const part of ["h1", ".lead", "figure.map"]) {
      const [here, new_] = [document.querySelector(part), page.querySelector(part)];
      if (here && new_) here.replaceWith(document.adoptNode(new_));
    }
    links.forEach((a, at) => {
      if (at === Number(slider.value)) a.setAttribute("aria-current", "true");
      else a.removeAttribute("aria-current");
    });
    document.querySelectorAll("figure.map").forEach((figure) => {
      figure.dataset.pages = new URL(figure.dataset.pages, to).pathname;
      enliven(figure);
    });
  });
  weeks.prepend(slider);
}
