/* Hides the claims that the reader did not ask for. The ledger works without this script: every claim is on the page.
   The choice is kept in the address (ledger.html#verdict=wrong&words=top-p), so that it can be sent to somebody. An
   address that names a claim (ledger.html#ledger-0-10) shows that claim, whatever was chosen before. */
(function () {
  "use strict";
  const form = document.querySelector("form.ledger-filter");
  if (!form) return;
  const rows = [...document.querySelectorAll(".ledger-row")];
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const names = ["verdict", "subject", "lecture", "words"];
  const output = form.querySelector("output");

  /** What the controls say: {verdict: "wrong", words: "top-p"}, without those that ask for nothing. */
  function chosen() {
    return Object.fromEntries(names.map((name) => [name, form.elements[name].value.trim()]).filter((pair) => pair[1]));
  }

  /** Whether a row is what was asked for: equal in every select, and every word somewhere in its text. */
  function wanted(row, choice) {
    const words = (choice.words || "").toLowerCase().split(/\s+/).filter(Boolean);
    return ["verdict", "subject", "lecture"].every((name) => !choice[name] || row.dataset[name] === choice[name])
      && words.every((word) => texts.get(row).includes(word));
  }

  function show() {
    const choice = chosen();
    let n = 0;
    for (const row of rows) {
      row.hidden = !wanted(row, choice);
      n += row.hidden ? 0 : 1;
    }
    for (const section of document.querySelectorAll("section.ledger-subject")) {
      section.hidden = !section.querySelector(".ledger-row:not([hidden])");
    }
    for (const link of document.querySelectorAll(".ledger-contents a")) {
      const row = document.getElementById(link.hash.slice(1));
      link.hidden = Boolean(row && row.hidden);
    }
    output.value = output.dataset.text.replace("{n}", n).replace("{all}", rows.length);
  }

  /** Keep the choice in the address; without a choice it stays as it is, so that links to claims go on working. */
  function remember() {
    const query = new URLSearchParams(chosen()).toString();
    const names_a_claim = document.getElementById(location.hash.slice(1));
    if (query || (location.hash && !names_a_claim)) history.replaceState(null, "", "#" + query);
  }

  /** Set the controls from the address. */
  function recall() {
    const claim = document.getElementById(location.hash.slice(1));
    const query = new URLSearchParams(claim ? "" : location.hash.slice(1));
    if (!claim && location.hash && !names.some((name) => query.has(name))) return; // an address of something else
    if (!claim || claim.closest("[hidden]")) {
      for (const name of names) form.elements[name].value = query.get(name) || "";
    }
    show();
    if (claim) claim.scrollIntoView();
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => { show(); remember(); });
  form.addEventListener("reset", () => setTimeout(() => { show(); remember(); })); // after the controls have changed
  window.addEventListener("hashchange", recall);
  form.hidden = false;
  show();
  recall();
})();
