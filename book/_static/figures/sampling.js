/* Sampling playground: a <div class="fig-sampling"> that holds a JSON script {prompt, tokens, logits, seen} with one
   entry per token of the vocabulary (seen: 1 if the token is in the text so far). Classic script, no dependency, so it
   runs from file://. `sample` is the arithmetic (compared with numpy by tests/book); `mount` is the page.
   It computes a distribution; it does not draw from it. */
(function () {
  "use strict";
  // Order of Hugging Face generate(): repetition penalty, temperature, top-k, top-p, min-p; then renormalise.
  // T = 0 keeps the first largest logit. k ties with the k-th value are kept. p = 1 keeps all.
  function sample({ logits, seen }, { T, k, p, m, r }) {
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

  const OFF = 101; // the last stop of the top-k slider: no limit
  const KNOBS = { T: [0, 2, 0.05, 1], k: [1, OFF, 1, OFF], p: [0.05, 1, 0.01, 1], m: [0, 0.5, 0.01, 0], r: [1, 2, 0.05, 1] };
  const TEXT = {
    en: {
      T: "temperature", k: "top-k", p: "top-p", m: "min-p", r: "repetition penalty", reset: "Reset", off: "off",
      token: "token", prob: "probability", rest: (n) => `all ${n} other tokens`, seen: "already in the text",
      after: "Next token after", cut: { t: "cut by T = 0", k: "cut by top-k", p: "cut by top-p", m: "cut by min-p", "": "" },
      say: (n, N, H, t, q) => `${n} of ${N} tokens can be drawn; entropy ${H} nats; most likely “${t}” with ${q}.`,
    },
    zh: {
      T: "温度 (temperature)", k: "top-k", p: "top-p", m: "min-p", r: "重复惩罚", reset: "重置", off: "关",
      token: "词元", prob: "概率", rest: (n) => `其余 ${n} 个词元`, seen: "文中已出现",
      after: "下一个词元，上文为", cut: { t: "被 T = 0 截去", k: "被 top-k 截去", p: "被 top-p 截去", m: "被 min-p 截去", "": "" },
      say: (n, N, H, t, q) => `${N} 个词元中有 ${n} 个可被采样；熵为 ${H} 奈特；概率最大的是“${t}”，${q}。`,
    },
  };
  const esc = (s) => s.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  const visible = (s) => esc(s).replace(/ /g, "␣").replace(/\n/g, "⏎").replace(/\t/g, "⇥") || "∅";

  function mount(box) {
    const data = JSON.parse(box.querySelector("script[type='application/json']").textContent);
    const L = TEXT[document.documentElement.lang.slice(0, 2)] || TEXT.en, id = box.id, N = data.logits.length;
    const shown = data.logits.map((_, i) => i).sort((a, b) => data.logits[b] - data.logits[a] || a - b).slice(0, 16);
    const knob = ([n, [lo, hi, step, v]]) => `<label><span>${L[n]}</span><output></output>
      <input type="range" name="${n}" min="${lo}" max="${hi}" step="${step}" value="${v}"></label>`;
    const row = (label, mark) => `<tr><th scope="row">${label}${mark}</th><td></td><td><i></i><small></small></td></tr>`;
    const mark = ` <abbr title="${L.seen}" aria-label="(${L.seen})">↺</abbr>`;
    const part = document.createElement("template");
    part.innerHTML = `<p class="prompt">${L.after} <code>${esc(data.prompt)}</code></p>
      <div class="knobs">${Object.entries(KNOBS).map(knob).join("")}<button type="button" class="reset">${L.reset}</button></div>
      <p role="status"></p>
      <table><colgroup><col><col><col></colgroup><thead><tr><th scope="col">${L.token}</th><th scope="col" colspan="2">${L.prob}</th></tr></thead><tbody>
      ${shown.map((i) => row(`<code>${visible(data.tokens[i])}</code>`, data.seen[i] ? mark : "")).join("")}
      ${N > shown.length ? row(L.rest(N - shown.length), "") : ""}</tbody></table>`;
    box.append(part.content);
    const knobs = [...box.querySelectorAll("input")], rows = [...box.querySelectorAll("tbody tr")];
    const fill = (tr, prob, cut) => {
      tr.className = cut && !prob ? "cut" : "";
      tr.cells[1].textContent = prob.toFixed(3);
      tr.querySelector("i").style.width = 70 * prob + "%";
      tr.querySelector("small").textContent = prob ? "" : L.cut[cut];
    };
    const draw = () => {
      const s = {};
      for (const x of knobs) {
        const off = x.name === "k" && +x.value === OFF;
        s[x.name] = off ? N : +x.value;
        x.previousElementSibling.value = off ? L.off : x.value;
        x.setAttribute("aria-valuetext", off ? L.off : x.value);
      }
      const { q, why, entropy } = sample(data, s), best = q.indexOf(Math.max(...q));
      shown.forEach((i, row) => fill(rows[row], q[i], why[i]));
      if (rows.length > shown.length) {
        const others = q.map((_, i) => i).filter((i) => !shown.includes(i));
        const reasons = new Set(others.map((i) => why[i])), reason = reasons.size === 1 ? why[others[0]] : "";
        fill(rows[shown.length], others.reduce((a, i) => a + q[i], 0), reason);
      }
      box.querySelector("[role=status]").textContent =
        L.say(q.filter((x) => x).length, N, entropy.toFixed(2), data.tokens[best].trim(), q[best].toFixed(3));
    };
    const set = (values) => {
      for (const x of knobs) x.value = x.name in values ? values[x.name] : KNOBS[x.name][3];
      draw();
    };
    box.addEventListener("input", draw);
    box.querySelector(".reset").addEventListener("click", () => set({}));
    // A button in the prose, <button data-fig="id" data-set="T=0.2,k=5">, puts the figure into a state.
    document.addEventListener("click", (ev) => {
      const b = ev.target.closest("[data-set]");
      if (b && b.dataset.fig === id) set(Object.fromEntries(b.dataset.set.split(",").filter(Boolean).map((kv) => kv.split("="))));
    });
    draw();
  }
  if (typeof module !== "undefined") module.exports = { sample };
  else document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".fig-sampling").forEach(mount));
})();
