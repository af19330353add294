/* One pass of speculative decoding, decision by decision, and many drafts at one place of it. Data: book/_data/speculative.json.
   `compute` is the arithmetic (tests/book compares it with solutions/speculative.py): the decisions of the pass, the law of what
   comes out under a rule, and a sample of it. `mount` is the page. Probabilities come with the data; no model runs here. */
(function () {
  "use strict";

  // Uniform numbers from a seed: mulberry32, by Tommy Ettinger, public domain.
  function dice(seed) {
    let a = seed >>> 0;
    return () => {
      a = (a + 0x6d2b79f5) | 0;
      let t = Math.imul(a ^ (a >>> 15), 1 | a);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  const total = (x) => x.reduce((a, b) => a + b, 0);
  const apart = (a, b) => total(a.map((x, i) => Math.abs(x - b[i]))) / 2; // total variation

  // The first token whose cumulative probability exceeds u; never one of probability 0.
  function pick(law, u) {
    let sum = 0, last = 0;
    for (let i = 0; i < law.length; i++) {
      sum += law[i];
      if (law[i] > 0) last = i;
      if (sum > u) return i;
    }
    return last;
  }

  function residual(p, q) {
    const over = p.map((x, i) => Math.max(x - q[i], 0)), sum = total(over);
    return sum > 0 ? over.map((x) => x / sum) : [...p];
  }

  /* A rule: with which chance a drafted token stays, and what a rejected one is replaced from. An independent draw of the target
     equals the drafted token with probability p, so "accept if equal" is a chance of p. */
  const ratio = (p, q) => Math.min(1, p / q), equal = (p) => p;
  const RULES = {
    right: { chance: ratio, from: "residual", law: residual },
    fresh: { chance: ratio, from: "fresh", law: (p) => [...p] },
    equal: { chance: equal, from: "residual", law: residual },
    again: { chance: equal, from: "fresh", law: (p) => [...p] },
  };

  /* The decisions of a pass: one for each drafted token that is looked at, then the token that the pass adds. */
  function walk({ p, q, drafted, uniforms }, rule) {
    const states = [], { chance, from, law } = RULES[rule], u = uniforms[uniforms.length - 1];
    for (let i = 0; i < drafted.length; i++) {
      const token = drafted[i], one = { place: i, token, p: p[i][token], q: q[i][token], uniform: uniforms[i] };
      one.chance = chance(one.p, one.q);
      one.accepted = one.uniform < one.chance;
      states.push(one);
      if (!one.accepted) return [...states, added(i, from, law(p[i], q[i]))];
    }
    return [...states, added(drafted.length, "target", p[drafted.length])];
    function added(place, source, over) {
      const token = pick(over, u);
      return { place, token, from: source, law: over, uniform: u, gained: [...drafted.slice(0, place), token] };
    }
  }

  /* The same pass with a new draft and new uniform numbers. */
  function roll(pass, seed) {
    const next = dice(seed), drafted = pass.q.map((q) => pick(q, next()));
    return { ...pass, drafted, uniforms: [...drafted, 0].map(() => next()) };
  }

  /* What comes out at a place with p and q, exactly; then `draws` of it: how often each token came, and the total variation to p
     after 1, 2, 3, 5, ... draws. Without q nothing is drafted there, and p is drawn from. */
  function many(p, q, rule, draws, seed) {
    const { chance, law } = RULES[rule], over = q ? law(p, q) : p, next = dice(seed);
    const through = p.map((x, i) => (q && q[i] > 0 ? q[i] * chance(x, q[i]) : 0)), rest = 1 - total(through);
    const counts = p.map(() => 0), path = [];
    for (let n = 1, mark = 1; n <= draws; n++) {
      const token = q ? pick(q, next()) : -1, kept = q && next() < chance(p[token], q[token]);
      counts[kept ? token : pick(over, next())] += 1;
      if (n >= mark || n === draws) {
        path.push([n, apart(counts.map((c) => c / n), p)]);
        mark = Math.max(n + 1, Math.round(n * 1.4));
      }
    }
    return { law: through.map((x, i) => x + rest * over[i]), counts, path };
  }

  /* pass: {p, q, drafted, uniforms, fixed}. seed: 0 for the pass as it is recorded; a fixed one always is. place: that of the many
     drafts; without it, that of the last of the first `step` decisions. */
  function compute(pass, { rule, seed, draws, step, place }) {
    const rolled = seed && !pass.fixed ? roll(pass, seed) : pass, states = walk(rolled, rule);
    if (place === undefined) place = (states[Math.min(step, states.length) - 1] || states[0]).place;
    const p = pass.p[place], q = pass.q[place] || null;
    const made = many(p, q, rule, draws, 1000 * (seed + 1) + place);
    return { ...rolled, states, place, ...made, bias: apart(made.law, p) };
  }

  /* A pass as `compute` takes it, with the words of each place. */
  function read(data, story, _) {
    if (data.stories[story]) {
      const one = data.stories[story];
      return { ...one, before: "", words: one.p.map(() => one.words), all: null };
    }
    const one = data.trace[+story.split(" ")[1] - 1], { places } = one;
    const others = (at) => (at.q ? [_("others with p > q"), _("others")] : [_("others")]);
    return { fixed: true, before: one.before, all: one.drafted, drafted: one.tokens, uniforms: one.uniforms, p: places.map((at) => at.p),
      q: places.filter((at) => at.q).map((at) => at.q), words: places.map((at) => [...at.words, ...others(at)]) };
  }

  const MOST = 5;
  const visible = (word) => word.replace(/^ /, "␣").replace(/\n/g, "⏎");
  const three = (x) => (x < 0.0005 && x > 0 ? "<0.001" : x.toFixed(3));

  /* What the last decision was, in sentences. */
  function words(found, step, name, _) {
    const one = found.states[step - 1];
    if (!one) return _("Drafted tokens: {count}. None is checked yet.", { count: found.drafted.length });
    const [p, q, u, chance] = [one.p, one.q, one.uniform, one.chance].map((x) => three(x || 0));
    const v = { word: visible(name(one.place, one.token)), p, q, u, chance, count: (one.gained || []).length };
    if (!one.from) {
      const all = _("“{word}” has p = {p} and q = {q}, and stays with probability {chance}.", v);
      return `${all} ${one.accepted ? _("u = {u} is smaller: accepted.", v)
        : _("u = {u} is not smaller: rejected, and dropped with all behind it.", v)}`;
    }
    const how = { target: _("All are accepted, so p behind them gives one more, the bonus: “{word}”.", v),
      residual: _("In its place comes a draw from the residual: “{word}”.", v),
      fresh: _("In its place comes a fresh draw from p: “{word}”.", v) };
    return `${how[one.from]} ${v.count === 1 ? _("The pass gains 1 token.") : _("The pass gains {count} tokens.", v)}`;
  }

  function mount(stage, fig) {
    const { _, h, svg, axes, path } = llmlab, { data, box, knobs } = fig, { values } = knobs.draws;
    let now = null;
    const forget = () => fig.limit("step", MOST);
    fig.reset = forget;
    document.addEventListener("click", (event) => { if (event.target.closest("[data-set]")?.dataset.fig === box.id) forget(); });
    for (const name of ["story", "seed"])
      box.querySelector(`[name=${name}]`).addEventListener("change", () => {
        forget();
        fig.set({ step: name === "story" ? 0 : now.step });
      });
    const go = (by) => fig.set({ step: now.step + by });
    const button = (label, act) => h("button", { type: "button", onclick: act }, label);
    const back = button(_("Back"), () => go(-1)), next = button(_("Next"), () => go(1));
    const more = button(_("Ten times as many drafts"), () => fig.set({ draws: values[values.indexOf(now.draws) + 1] }));
    const pass = h("div", {}), sample = h("div", {});
    stage.append(h("div", { class: "tools" }, back, next), pass, h("div", { class: "tools" }, more), sample);

    const bar = (x, kind) => h("td", {}, x === undefined ? ""
      : [h("i", { class: kind, style: `width:${(100 * x).toFixed(1)}%` }), h("span", {}, three(x))]);

    function chips(found, step, name) {
      const decided = found.states.slice(0, step), end = decided.find((one) => one.from);
      const total = now.source.all || found.drafted.map((token, i) => name(i, token));
      const status = (i) => {
        const one = decided.find((state) => !state.from && state.place === i);
        if (one) return one.accepted ? ["kept", _("✓ accepted")] : ["lost", _("✗ rejected")];
        return decided.some((state) => state.accepted === false) ? ["skipped", _("not looked at")] : ["open", _("drafted")];
      };
      const chip = ([kind, text], word) => h("li", { class: kind }, h("code", {}, visible(word)), h("small", {}, text));
      return h("ol", { class: "strip" }, now.source.before ? h("li", { class: "before" }, `… ${now.source.before.slice(-40)}`) : null,
        total.map((word, i) => chip(status(i), word)),
        end ? chip(["new", end.from === "target" ? _("+ bonus") : _("+ replacement")], name(end.place, end.token)) : null);
    }

    function line(one) { // where u falls, between 0 and 1
      const wide = 300, at = (x) => 8 + x * (wide - 16);
      return svg("svg", { class: "line", viewBox: `0 0 ${wide} 46`, role: "img", "aria-label": _("u and the chance, between 0 and 1") },
        svg("rect", { class: "yes", x: 8, y: 18, width: Math.max(0, at(one.chance) - 8), height: 12 }),
        svg("rect", { class: "all", x: 8, y: 18, width: wide - 16, height: 12 }),
        svg("path", { class: "u", d: `M${at(one.uniform)} 34v-20` }),
        svg("text", { x: at(one.uniform), y: 11, "text-anchor": one.uniform > 0.7 ? "end" : one.uniform < 0.3 ? "start" : "middle" },
          `u = ${three(one.uniform)}`),
        svg("text", { x: at(one.chance), y: 44, "text-anchor": one.chance > 0.5 ? "end" : "start" },
          _("stays below {chance}", { chance: three(one.chance) })));
    }

    return (state) => {
      const source = read(data, state.story, _), found = compute(source, state), { states, place, counts } = found;
      const step = Math.min(state.step, states.length), name = (i, token) => source.words[i][token];
      now = { source, step, draws: state.draws };
      fig.limit("step", states.length);
      back.disabled = step === 0;
      next.disabled = step === states.length;
      more.disabled = state.draws === values[values.length - 1];
      const one = states[step - 1], p = source.p[place], q = source.q[place], rule = RULES[state.rule];
      const over = q ? rule.law(p, q) : null, list = source.words[place], marked = one ? one.token : -1;
      pass.replaceChildren(chips(found, step, name), one && !one.from ? line(one) : "",
        h("div", { class: "fig-scroll" }, h("table", { class: "laws" },
        h("thead", {}, h("tr", {}, [_("token"), _("target p"), q && _("draft q"), q && _("stays with"), q && _("else from")]
          .filter(Boolean).map((head) => h("th", { scope: "col" }, head)))),
        h("tbody", {}, list.map((word, i) => h("tr", { class: i === marked ? "marked" : "" },
          h("th", { scope: "row" }, h("code", {}, (i === marked ? "▸" : "") + visible(word))), bar(p[i], "p"),
          q ? [bar(q[i], "q"), bar(q[i] > 0 ? rule.chance(p[i], q[i]) : undefined, "c"), bar(over[i], "r")] : null))))));

      const wide = Math.max(280, Math.min(680, stage.clientWidth || 640)), end = found.path[found.path.length - 1][1];
      const chart = axes({ width: wide, height: 230, margin: { left: 56, right: 26 }, yfmt: String,
        x: { domain: [1, 1e5], log: true }, y: { domain: [1e-3, 1], log: true },
        xlabel: _("drafts"), ylabel: _("total variation to p") });
      const low = (x) => chart.y(Math.max(1e-3, x));
      if (found.bias > 1e-9) chart.plot.append(svg("path", { class: "limit", d: `M${chart.x(1)} ${low(found.bias)}H${chart.x(1e5)}` }),
        svg("text", { x: chart.x(1) + 6, y: low(found.bias) - 6 }, _("this rule ends at {bias}", { bias: three(found.bias) })));
      chart.plot.append(svg("path", { class: "fall", d: path(found.path.map(([n, tv]) => [chart.x(n), low(tv)])) }),
        svg("circle", { class: "dot", cx: chart.x(state.draws), cy: low(end), r: 4.5 }));
      const shares = counts.map((count) => count / state.draws);
      sample.replaceChildren(h("table", { class: "laws came" },
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, _("token")), h("th", { scope: "col" }, _("came out; the mark is p")))),
        h("tbody", {}, list.map((word, i) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, visible(word))),
          h("td", {}, h("i", { style: `width:${100 * shares[i]}%` }), h("b", { style: `left:${100 * p[i]}%` }),
            h("span", {}, three(shares[i]))))))), chart.root);
      const far = _("After {draws} drafts at this place, what came out is {end} away from p.", { draws: state.draws, end: three(end) });
      fig.say(`${words(found, step, name, _)} ${far}`);
      fig.table([_("token"), _("target p"), _("draft q"), _("came out"), _("comes out with this rule")], list.map((word, i) =>
        [visible(word), three(p[i]), q ? three(q[i]) : "", counts[i], three(found.law[i])]));
    };
  }

  if (typeof module !== "undefined") module.exports = { compute };
  else llmlab.figure("speculative-stepper", { mount });
})();
