/* What run.js asks inside a page. Each function is sent to the browser as text, so it uses nothing outside itself. */
"use strict";

/* Formulas, raw TeX, figures: {found: {gate: [what, ...]}, seen: {...}} */
exports.inspect = () => {
  const found = { math: [], figure: [], alt: [] };
  const article = document.querySelector("article") || document.body;
  const formulas = [...document.querySelectorAll("span.math, div.math")];
  for (const one of formulas)
    if (!one.querySelector("mjx-container svg, mjx-container mjx-math")) found.math.push(`not set: ${one.textContent.trim().slice(0, 80)}`);
  const broken = "[data-mjx-error], mjx-merror, [data-mml-node=merror], mjx-container [fill=red], mjx-container [mathcolor=red]";
  for (const one of document.querySelectorAll(broken))
    found.math.push(`broken: ${one.getAttribute("data-mjx-error") || one.textContent.slice(0, 80)}`);
  const walker = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.parentElement.closest("pre, code, script, style, noscript, mjx-container, .math, textarea")) continue;
    const raw = node.data.match(/\\[([]|\$[^$\s][^$]{0,80}\$|\\(?:frac|sum|text|mathbb|cdot|le|ge)\b/);
    if (raw) found.math.push(`raw TeX in the text: ${node.data.slice(Math.max(0, raw.index - 20), raw.index + 60).trim()}`);
  }
  const figures = [...document.querySelectorAll(".fig")];
  for (const box of figures) {
    const name = box.id || "a figure", stage = box.querySelector(".fig-stage"), said = box.querySelector("[role=status]");
    if (!stage || !stage.childElementCount || stage.getBoundingClientRect().height < 20) found.figure.push(`${name} is empty`);
    else if (!said || !said.textContent.trim()) found.figure.push(`${name} does not say in words what it shows`);
  }
  for (const image of article.querySelectorAll("img"))
    if (!image.complete || !image.naturalWidth) found.alt.push(`picture ${image.getAttribute("src")} does not load`);
  return { found, seen: { formulas: formulas.length, figures: figures.length, pictures: article.querySelectorAll("img").length } };
};

/* At the width of a phone: what makes the page scroll sideways, and text in figures too small to read. */
exports.narrow = () => {
  const found = [], width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) {
    const scrolls = (e) => { for (; e && e !== document.body; e = e.parentElement) if (/auto|scroll|hidden|clip/.test(getComputedStyle(e).overflowX)) return true; return false; };
    const wide = [...document.body.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > width + 1 && !scrolls(e.parentElement));
    const names = wide.slice(-3).map((e) => `${e.tagName.toLowerCase()}.${[...e.classList].join(".")} ${Math.round(e.getBoundingClientRect().right)} px`);
    found.push(`the page is ${document.documentElement.scrollWidth} px wide at ${width}: ${names.join(", ")}`);
  }
  for (const text of document.querySelectorAll(".fig svg text")) {
    const size = parseFloat(getComputedStyle(text).fontSize) * (text.getScreenCTM()?.a || 1);
    if (text.textContent.trim() && text.getBoundingClientRect().width && size < 10.5) {
      found.push(`${text.closest(".fig").id}: the text ${JSON.stringify(text.textContent.slice(0, 30))} is ${size.toFixed(1)} px high`);
      break;
    }
  }
  return found;
};
