/* The book's gates in a browser:  node run.js ORDER.json

   ORDER.json: {"chromium": path, "root": folder of the pages, "pages": ["book/a.html", ...], "tabs": 2, "out": file}
   Every page is opened from file:// with the network off, wide and light, then dark, then 375 pixels wide. What is found goes to
   `out`: {"found": [{gate, page, mode, what}], "seen": {pages, formulas, figures, ...}, "seconds": s}. It judges no build: tests/book/
   test_gates.py does, and tests/book/planted.py has a fault for each gate. */
"use strict";
const fs = require("fs"), path = require("path"), { pathToFileURL } = require("url");
const { chromium } = require("playwright-core");
const inPage = require("./in_page");

const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--allow-file-access-from-files"];
const WIDE = { width: 1200, height: 900 }, PHONE = { width: 375, height: 800 };

/* In dark mode the page is the same one in other colours: only the rules about colours can say something new. */
const COLOURS = { type: "rule", values: ["color-contrast", "link-in-text-block"] };

async function axe(page, runOnly = RULES) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(
    (only) => window.axe.run(document, { runOnly: only, resultTypes: ["violations"], preload: false }), runOnly);
  return violations.flatMap((rule) => rule.nodes.slice(0, 3).map((node) =>
    `${rule.id}: ${rule.help}: ${node.html.replace(/\s+/g, " ").slice(0, 160)} (${(node.any[0] || node.all[0] || node.none[0] || {}).message || ""})`));
}

/* Each control of each figure, worked with the keyboard as a reader would; what does not answer is a finding. */
async function keyboard(page) {
  const found = [];
  for (const figure of await page.$$(".fig")) {
    const name = await figure.getAttribute("id");
    const shown = () => figure.evaluate((box) => box.innerHTML);
    let answered = 0;
    const controls = await figure.$$(".knobs input, .knobs select");
    for (const control of controls) {
      const [kind, value, label] = await control.evaluate((e) => [e.type, e.type === "checkbox" ? e.checked : e.value, e.name]);
      const before = await shown();
      await control.focus();
      const atEnd = await control.evaluate((e) => (e.tagName === "SELECT" ? e.selectedIndex === e.options.length - 1 : e.value === e.max));
      await page.keyboard.press(kind === "checkbox" ? "Space" : `${atEnd ? "ArrowUp ArrowLeft" : "ArrowDown ArrowRight"}`.split(" ")[kind === "range" ? 1 : 0]);
      const [now, lone] = await control.evaluate((e) => [e.type === "checkbox" ? e.checked : e.value,
        e.disabled || (e.tagName === "SELECT" ? e.options.length < 2 : e.type === "range" && e.min === e.max)]);
      if (now === value && !lone) found.push(`${name}: ${label} does not move with the keyboard`);
      if ((await shown()) !== before) answered++;
    }
    if (controls.length && !answered) found.push(`${name}: nothing that its controls do changes the figure`);
  }
  for (const button of (await page.$$(".fig-set")).slice(0, 12)) {
    const figure = await button.getAttribute("data-fig");
    if (!(await page.$(`[id="${figure}"]`))) found.push(`a button sets ${figure}, which is not on the page`);
    await button.focus();
    await page.keyboard.press("Enter");
  }
  return found;
}

async function visit(context, order, name, report, seen) {
  const page = await context.newPage();
  let mode = "light";
  const say = (gate, what) => report.push({ gate, page: name, mode, what });
  page.on("request", (r) => { if (!/^(file|data|blob|about):/.test(r.url())) say("remote", `asks for ${r.url()}`); });
  page.on("pageerror", (error) => say("console", String(error).split("\n")[0]));
  page.on("console", (m) => { if (m.type() === "error") say("console", m.text()); });
  const open = async () => {
    await page.goto(pathToFileURL(path.join(order.root, name)).href, { waitUntil: "load" });
    await page.evaluate(() => window.MathJax?.startup?.promise?.then(() => true) ?? true);
  };
  try {
    await page.setViewportSize(WIDE);
    await open();
    for (const what of await axe(page)) say("axe", what);
    const facts = await page.evaluate(inPage.inspect);
    for (const [gate, list] of Object.entries(facts.found)) for (const what of list) say(gate, what);
    for (const [key, count] of Object.entries(facts.seen)) seen[key] = (seen[key] || 0) + count;
    mode = "dark";
    await page.emulateMedia({ colorScheme: "dark" });
    const isDark = () => (document.documentElement.dataset.theme || "dark") === "dark";
    await page.waitForFunction(isDark, null, { timeout: 3000, polling: 50 }).catch(() => say("dark", "the page stays light"));
    for (const what of await axe(page, COLOURS)) say("axe", what);
    await page.emulateMedia({ colorScheme: "light" });
    mode = "keyboard";
    for (const what of await keyboard(page)) say("figure", what);
    mode = "phone";
    await page.setViewportSize(PHONE);
    await open();
    for (const what of await page.evaluate(inPage.narrow)) say("width", what);
    for (const what of await axe(page)) say("axe", what);
    seen.pages = (seen.pages || 0) + 1;
  } catch (error) {
    say("console", `the page could not be read: ${String(error).split("\n")[0]}`);
  } finally {
    await page.close();
  }
}

(async () => {
  const order = JSON.parse(fs.readFileSync(process.argv[2], "utf8")), began = Date.now();
  const browser = await chromium.launch({ executablePath: order.chromium, headless: true, args: ARGS });
  const found = [], seen = {}, queue = [...order.pages];
  const worker = async () => {
    const context = await browser.newContext({ offline: true, colorScheme: "light", reducedMotion: "reduce" });
    for (let name = queue.shift(); name; name = queue.shift()) await visit(context, order, name, found, seen);
    await context.close();
  };
  try {
    await Promise.all(Array.from({ length: order.tabs || 1 }, worker));
  } finally {
    await browser.close();
  }
  fs.writeFileSync(order.out, JSON.stringify({ found, seen, seconds: (Date.now() - began) / 1000 }, null, 1));
})().catch((error) => { console.error(error); process.exit(1); });
