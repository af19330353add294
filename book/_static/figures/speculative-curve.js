/* Tokens of a speculative pass and the speed-up, against gamma. No data: `compute` is the formula of Leviathan et al. 2023, and
   tests/book compares it with solutions/speculative.py. Every token is accepted with the same probability, whatever came before;
   nothing here is measured. */
(function () {
  "use strict";
  const MOST = 16;

  /* alpha: acceptance rate; cost: a pass of the draft; verify: what each further token adds to the target's pass, both in target
     passes over one token. A point for each gamma from 0 to MOST, and the gamma of the largest speed-up, the smallest of equals. */
  function compute({ alpha, cost, verify }) {
    const points = [];
    let tokens = 0, power = 1, best = 0;
    for (let gamma = 0; gamma <= MOST; gamma++) {
      tokens += power;
      power *= alpha;
      points.push({ gamma, tokens, speedup: tokens / (gamma * cost + 1 + gamma * verify), lecture: gamma * alpha });
      if (points[gamma].speedup > points[best].speedup) best = gamma;
    }
    return { points, best };
  }

  function mount(stage, { say, table }) {
    const { _, h, svg, axes, path } = llmlab, number = (x) => x.toFixed(2);
    const names = { tokens: _("tokens of a pass"), speedup: _("speed-up"), lecture: _("γ × α") };
    // A series has a shape of its own: circle, square, none.
    const mark = { tokens: (x, y) => `M${x - 4} ${y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z`, speedup: (x, y) => `M${x - 4} ${y - 4}h8v8h-8z`,
      lecture: () => "" };
    let last = null;

    function draw(state) {
      last = state;
      const { points, best } = compute(state), here = points[state.gamma], top = Math.max(4, 1.15 * points[MOST].tokens);
      const wide = Math.max(280, Math.min(680, stage.clientWidth || 640));
      const { root, plot, x, y } = axes({ width: wide, height: 300, margin: { left: 44, right: 16 }, xfmt: String, yfmt: String,
        x: { domain: [0, MOST] }, y: { domain: [0, top] }, xlabel: _("drafted tokens γ"), ylabel: _("factor") });
      plot.append(svg("line", { class: "one", x1: x(0), x2: x(MOST), y1: y(1), y2: y(1) }),
        svg("line", { class: "here", x1: x(state.gamma), x2: x(state.gamma), y1: y(0), y2: y(top) }));
      for (const name of Object.keys(names)) {
        const seen = points.map((one) => [one.gamma, one[name]]);
        if (name === "lecture" && state.alpha * MOST > top) seen.splice(0, MOST + 1, [0, 0], [top / state.alpha, top]); // to the edge
        const places = seen.map(([gamma, value]) => [x(gamma), y(value)]);
        plot.append(svg("path", { class: `curve ${name}`, d: path(places) }),
          ...places.map(([cx, cy]) => svg("path", { class: `mark ${name}`, d: mark[name](cx, cy) })));
      }
      const foot = y(points[best].speedup), below = foot + 38 < y(0), side = below ? 1 : -1; // the label stays clear of the other curves
      plot.append(svg("path", { class: "best", d: `M${x(best)} ${foot + side * 8}l-6 ${side * 12}h12z` }),
        svg("text", { x: x(best), y: foot + (below ? 34 : -25), "text-anchor": best > 12 ? "end" : best < 2 ? "start" : "middle" },
          _("best: γ = {best}", { best })));
      const key = h("ul", { class: "key" }, Object.entries(names).map(([name, word]) => h("li", {},
        svg("svg", { viewBox: "0 0 36 14", "aria-hidden": "true" }, svg("path", { class: `curve ${name}`, d: "M2 7H34" }),
          svg("path", { class: `mark ${name}`, d: mark[name](18, 7) })), word)));
      stage.replaceChildren(root, key);
      const v = { gamma: state.gamma, tokens: number(here.tokens), speedup: number(here.speedup), lecture: number(here.lecture),
        best, most: number(points[best].speedup) };
      say([_("With γ = {gamma} a pass gains {tokens} tokens and decoding is {speedup} times as fast; γ × α would be {lecture}.", v),
        best ? _("The best γ is {best}, with a factor of {most}.", v) : _("Not drafting at all is best.")].join(" "));
      table([_("γ"), names.tokens, names.speedup, names.lecture],
        points.map((one) => [one.gamma, number(one.tokens), number(one.speedup), number(one.lecture)]));
    }
    new ResizeObserver(() => { if (last) draw(last); }).observe(stage);
    return draw;
  }

  if (typeof module !== "undefined") module.exports = { compute };
  else llmlab.figure("speculative-curve", { mount });
})();
