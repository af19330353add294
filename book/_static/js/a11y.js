/* Repairs of the theme for screen readers and the keyboard: buttons whose label hides their text, navigation and folds without a
   name, bibliography entries whose role browsers no longer know, formulas as names, what scrolls. Runs once when the page is read. */
document.addEventListener("DOMContentLoaded", () => {
  const _ = (text) => (window.llmlabText || {})[text] || text;
  for (const e of document.querySelectorAll("button[aria-label], summary[aria-label]"))
    if (e.textContent.trim()) e.removeAttribute("aria-label");
  const side = document.querySelector(".bd-sidebar-primary");
  side?.setAttribute("role", "navigation");
  side?.setAttribute("aria-label", _("Book"));
  for (const e of document.querySelectorAll("[role=doc-biblioentry]")) e.setAttribute("role", "listitem");
  // a fold in the book's navigation is named after the page that it folds
  for (const e of document.querySelectorAll(".bd-sidebar-primary summary"))
    if (!e.textContent.trim()) e.setAttribute("aria-label", e.closest("li")?.querySelector("a")?.textContent.trim() || "");
  // a heading or a label that is a formula alone: its TeX is its name, because the drawing of a formula has none
  const tex = (e) => e.textContent.replace(/\\[()[\]]/g, "").trim();
  const alone = (e) => e.querySelector(".math") && ![...e.querySelectorAll(".math")].reduce((text, m) => text.replace(m.textContent, ""), e.textContent).trim();
  for (const e of document.querySelectorAll("th"))
    if (alone(e)) e.append(Object.assign(document.createElement("span"), { className: "tex-name", textContent: tex(e) }));
  for (const e of document.querySelectorAll("label"))
    if (alone(e)) (e.control || e.querySelector("input"))?.setAttribute("aria-label", tex(e));
  // the empty corner of a table is no heading
  for (const e of document.querySelectorAll("th"))
    if (!e.textContent.trim()) {
      const cell = document.createElement("td");
      cell.className = e.className;
      e.replaceWith(cell);
    }
  // wide code, outputs, tables and formulas scroll: let the keyboard reach them
  const reach = (what) => {
    for (const e of document.querySelectorAll(what))
      if (e.scrollWidth > e.clientWidth && !e.hasAttribute("tabindex")) e.setAttribute("tabindex", "0");
  };
  reach("div.highlight > pre, .output pre, .pst-scrollable-table-container");
  addEventListener("load", () => window.MathJax?.startup?.promise?.then(() => reach('mjx-container[display="true"]')));
});
