/* Repairs of the theme for screen readers: buttons whose label hides their text, an unnamed navigation, and
   bibliography entries whose role browsers no longer know. Runs once when the page is read. */
document.addEventListener("DOMContentLoaded", () => {
  const _ = (text) => (window.llmlabText || {})[text] || text;
  for (const e of document.querySelectorAll("button[aria-label], summary[aria-label]"))
    if (e.textContent.trim()) e.removeAttribute("aria-label");
  const side = document.querySelector(".bd-sidebar-primary");
  side?.setAttribute("role", "navigation");
  side?.setAttribute("aria-label", _("Book"));
  for (const e of document.querySelectorAll("[role=doc-biblioentry]")) e.setAttribute("role", "listitem");
  // the empty corner of a table is no heading
  for (const e of document.querySelectorAll("th"))
    if (!e.textContent.trim()) {
      const cell = document.createElement("td");
      cell.className = e.className;
      e.replaceWith(cell);
    }
  // wide code, outputs and tables scroll: let the keyboard reach them
  for (const e of document.querySelectorAll("div.highlight > pre, .output pre, .pst-scrollable-table-container"))
    if (e.scrollWidth > e.clientWidth && !e.hasAttribute("tabindex")) e.setAttribute("tabindex", "0");
});
