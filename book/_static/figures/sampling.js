/* Sampling playground. Data: {prompt, tokens, logits, seen}, one entry per token of the vocabulary (seen: 1 if the token is in the
   text so far). `compute` is the arithmetic, compared with numpy by tests/book. It computes a distribution; it does not draw from it. */
(function () {
  "use strict";
  const OFF = 101; // the last stop of the top-k slider: no limit

  // Order of Hugging Face generate(): repetition penalty, temperature, top-k, top-p, min-p; then renormalise.
  // T = 0 keeps the first largest logit. k ties with the k-th value are kept. p = 1 keeps all.
  function compute({ logits, seen }, { T, k, p, m, r }) {
    const z = logits.map((x, i) => (seen[i] ? (x > 0 ? x / r : x * r) : x));
    const top = z.reduce((a, b) => Math.max(a, b), -Infinity), first = z.indexOf(top);
    const e = z.map((x, i) => (T === 0 ? +(i === first) : Math.exp((x - top) / T)));
    const order = e.map((_, i) => i).sort((a, b) => z[b] - z[a] || a - b);
    const kth = z[order[Math.min(k, order.length) - 1]];
    const why = z.map((x, i) => (T === 0 && i !== first ? "t" : x < kth ? "k" : ""));
    const sumK = order.reduce((s, i) => s + (why[i] ? 0 : e[i]), 0);
    let before = 0;
    for (const i of order) {
      if (why[i]) continue;
      if (p < 1 && before / sumK >= p) why[i] = "p";
      else if (e[i] < m) why[i] = "m";
      before += e[i];
    }
    const w = e.map((x, i) => (why[i] ? 0 : x)), sum = w.reduce((a, b) => a + b, 0), q = w.map((x) => x / sum);
    return { q, why, entropy: q.reduce((s, x) => s - (x ? x * Math.log(x) : 0), 0) };
  }

  const visible = (s) => s.replace(/ /g, "␣").replace(/\n/g, "⏎").replace(/\t/g, "⇥") || "∅";

  function mount(stage, { data, say }) {
    const { h, _ } = llmlab, N = data.logits.length;
    const cut = { t: _("cut by T = 0"), k: _("cut by top-k"), p: _("cut by top-p"), m: _("cut by min-p"), "": "" };
    const shown = data.logits.map((_x, i) => i).sort((a, b) => data.logits[b] - data.logits[a] || a - b).slice(0, 16);
    const rest = N - shown.length;
    const row = (...label) => h("tr", {}, h("th", { scope: "row" }, label), h("td"), h("td", {}, h("i"), h("small")));
    const mark = () => [" ", h("abbr", { title: _("already in the text") }, "↺")];
    const rows = shown.map((i) => row(h("code", {}, visible(data.tokens[i])), data.seen[i] ? mark() : ""));
    if (rest) rows.push(row(_("all {n} other tokens", { n: rest })));
    stage.append(
      h("p", { class: "prompt" }, _("Next token after"), " ", h("code", {}, data.prompt)),
      h("table", {}, h("colgroup", {}, h("col"), h("col"), h("col")),
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, _("token")), h("th", { scope: "col", colspan: 2 }, _("probability")))),
        h("tbody", {}, rows)));

    const fill = (tr, prob, why) => {
      tr.className = why && !prob ? "cut" : "";
      tr.cells[1].textContent = prob.toFixed(3);
      tr.querySelector("i").style.width = 70 * prob + "%";
      tr.querySelector("small").textContent = prob ? "" : cut[why];
    };
    return (state) => {
      const { q, why, entropy } = compute(data, { ...state, k: state.k === OFF ? N : state.k }), best = q.indexOf(Math.max(...q));
      shown.forEach((i, n) => fill(rows[n], q[i], why[i]));
      if (rest) {
        const others = q.map((_x, i) => i).filter((i) => !shown.includes(i));
        const reasons = new Set(others.map((i) => why[i])), reason = reasons.size === 1 ? why[others[0]] : "";
        fill(rows[shown.length], others.reduce((a, i) => a + q[i], 0), reason);
      }
      say(_("{n} of {all} tokens can be drawn; entropy {entropy} nats; most likely “{token}” with {p}.",
        { n: q.filter((x) => x).length, all: N, entropy: entropy.toFixed(2), token: data.tokens[best].trim(), p: q[best].toFixed(3) }));
    };
  }

  if (typeof module !== "undefined") module.exports = { compute };
  else llmlab.figure("sampling", { mount });
})();
