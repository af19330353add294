/* What the reader has read, kept in the reader's own browser: localStorage and nothing else. No account, no request.

   A chapter is marked by the button at its end, or unmarked. Its mark shows in the sidebar and on the course map, where everything can
   be forgotten. Answers to quizzes come back when the page is opened again. Where a browser keeps nothing (private windows, files in
   some browsers), no button appears and nothing else changes: the book needs none of this. */
(function () {
  "use strict";
  const KEY = "llmlab-book";
  const _ = (text, values = {}) =>
    ((window.llmlabText || {})[text] || text).replace(/\{(\w+)\}/g, (all, name) => (name in values ? values[name] : all));

  /* The store: {read: {"part1/logits": true}, quiz: {"quiz-nucleus": [2]}}. Other tabs may write, too, so it is read before every change. */
  const fresh = () => ({ read: {}, quiz: {} });
  function load() {
    try {
      const found = JSON.parse(localStorage.getItem(KEY)) || {};
      const part = (name) => (found[name] && typeof found[name] === "object" && !Array.isArray(found[name]) ? found[name] : {});
      return { read: part("read"), quiz: part("quiz") };
    } catch { return fresh(); }
  }
  function save(change) {
    const state = load();
    change(state);
    try { localStorage.setItem(KEY, JSON.stringify(state)); } catch { /* full, or refused since: the page goes on without */ }
  }
  function usable() {
    try {
      localStorage.setItem(`${KEY}-test`, "1");
      localStorage.removeItem(`${KEY}-test`);
      return true;
    } catch { return false; }
  }

  /* "part1/logits" for the address of a chapter in any language; "" for another page. */
  const chapter = (address) => (/\/book\/(part\d+\/[^/]+)\.html$/.exec(address.split(/[?#]/)[0]) || ["", ""])[1];
  const element = (tag, name, text) => Object.assign(document.createElement(tag), { className: name, textContent: text || "" });

  /* A tick and a hidden word at every link to a chapter in the sidebar and on the map. */
  function mark() {
    const { read } = load();
    for (const link of document.querySelectorAll(".bd-sidebar-primary a[href], .course-chapter > a[href]")) {
      const old = link.querySelector(".read-mark");
      const is = Boolean(!link.hash && read[chapter(link.href)]); // not at a link to a section
      if (!is) old?.remove();
      else if (!old) {
        const tick = element("span", "read-mark");
        tick.append(" ✓", element("span", "visually-hidden", ` (${_("read")})`));
        link.append(tick);
      }
    }
  }

  /* The button at the end of a chapter. */
  function offer() {
    const here = chapter(location.href), end = document.querySelector("article.bd-article > section");
    if (!here || !end || !document.querySelector(".chapter-head")) return;
    const box = element("div", "read-box"), button = element("button", "read-button"), note = element("p", "read-note");
    const said = element("span", "read-said");
    button.type = "button";
    said.setAttribute("role", "status");
    note.textContent = _("Kept in this browser only. Nothing is sent anywhere.");
    const show = (is) => { button.textContent = is ? _("Mark as not read") : _("Mark as read"); box.classList.toggle("is-read", is); };
    show(Boolean(load().read[here]));
    button.addEventListener("click", () => {
      const is = !load().read[here];
      save(({ read }) => { if (is) read[here] = true; else delete read[here]; });
      show(is);
      said.textContent = is ? _("✓ You have read this chapter.") : "";
      mark();
    });
    if (load().read[here]) said.textContent = _("✓ You have read this chapter.");
    box.append(button, said, note);
    end.append(box);
  }

  /* Quizzes: what was chosen is chosen again. */
  function quizzes() {
    const { quiz } = load();
    for (const box of document.querySelectorAll("fieldset.quiz")) {
      const inputs = [...box.querySelectorAll(".quiz-option > input")];
      for (const n of Array.isArray(quiz[box.id]) ? quiz[box.id] : []) if (inputs[n]) inputs[n].checked = true;
      box.addEventListener("change", () =>
        save((state) => { state.quiz[box.id] = inputs.flatMap((input, n) => (input.checked ? [n] : [])); }));
    }
  }

  /* The summary on the map, with the button that forgets. */
  function summary() {
    const box = document.querySelector(".course-progress");
    if (!box) return;
    const said = element("p", ""), button = element("button", "read-button", _("Forget all this"));
    const links = [...document.querySelectorAll(".course-chapter > a[href]")].map((link) => chapter(link.href));
    const show = () => {
      const state = load(), done = links.filter((name) => state.read[name]).length;
      const answered = Object.values(state.quiz).filter((chosen) => chosen && chosen.length).length;
      said.textContent = _("Chapters read: {done} of {all}. Questions answered: {answered}.", { done, all: links.length, answered });
      button.hidden = !done && !answered;
    };
    said.setAttribute("role", "status");
    button.type = "button";
    button.addEventListener("click", () => {
      if (!window.confirm(_("Forget which chapters you have read and what you answered?"))) return;
      try { localStorage.removeItem(KEY); } catch { /* nothing was kept */ }
      show();
      mark();
      said.tabIndex = -1;
      said.focus();
    });
    show();
    box.replaceChildren(said, button, element("p", "read-note", _("Kept in this browser only. Nothing is sent anywhere.")));
  }

  const start = () => { if (usable()) { quizzes(); offer(); summary(); mark(); } };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
  window.addEventListener("storage", (event) => { if (event.key === KEY || event.key === null) mark(); });
})();
