/* The FLOPs of one pass, by shape: projections, MLP, lm_head, and the products whose cost grows with the square of the length.
   Data: book/_data/cost.json (shapes). `compute` is the arithmetic; tests/book compares it with solutions/flops.py.
   As there, only matrix products count, and the half of the scores that a causal mask hides counts too. */
(function () {
  "use strict";
  const LENGTHS = [128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072];

  /* The pass that gives the next token of `batch` texts of `length` tokens. With a cache it takes the newest token of each,
     without one the whole texts. parts: FLOPs by step, of one layer or, if `whole`, of all layers and lm_head at the last position.
     crossover: the shortest length at which scores and values cost at least as much as everything else of a layer. */
  function compute(data, { model, batch, length, cached, whole }) {
    const { layers, hidden, heads, kv_heads: kvHeads, head_dim: size, mlp, gated, vocab } = data.models[model];
    const queries = heads * size, keys = kvHeads * size, maps = gated ? 3 : 2, times = whole ? layers : 1;
    const pass = (context) => {
      const tokens = batch * (cached ? 1 : context), product = (n, p) => 2 * tokens * n * p * times;
      return { q: product(hidden, queries), k: product(hidden, keys), v: product(hidden, keys), output: product(queries, hidden),
        mlp: maps * product(hidden, mlp), lm_head: whole ? 2 * batch * hidden * vocab : 0,
        scores: product(queries, context), values: product(context, queries) };
    };
    const total = (parts) => Object.values(parts).reduce((a, b) => a + b, 0);
    const bars = LENGTHS.map((at) => { const parts = pass(at); return { length: at, parts, total: total(parts) }; });
    const parts = pass(length);
    const rest = 2 * hidden * (2 * queries + 2 * keys) + maps * 2 * hidden * mlp; // of one token in one layer, but scores and values
    return { parts, total: total(parts), square: (parts.scores + parts.values) / total(parts), bars,
      tokens: batch * (cached ? 1 : length), crossover: Math.ceil(rest / (4 * queries)) };
  }

  // What is stacked, from below: a name, its parts, and a pattern, so that colour does not speak alone.
  const STACK = [["projections", ["q", "k", "v", "output"]], ["mlp", ["mlp"]], ["lm_head", ["lm_head"]], ["scores", ["scores"]],
    ["values", ["values"]]];

  // The marks that are drawn over a part's colour.
  const MARKS = { projections: "", mlp: "M2 4h2v1h-2zM6 0h2v1h-2z", lm_head: "M0 4h8M4 0v8", scores: "M-2 6l8 -8M0 8l8 -8M4 10l8 -8",
    values: "M-2 2l8 8M0 0l8 8M4 -2l8 8" };

  function mount(stage, { box, data, say, table }) {
    const { _, h, svg, fmt, scale } = llmlab;
    const names = { projections: _("projections (q, k, v, output)"), mlp: _("MLP"), lm_head: _("lm_head"), scores: _("scores"),
      values: _("values") };
    const sum = (parts, of) => of.reduce((a, name) => a + parts[name], 0);
    const count = (n) => n.toLocaleString("en"), short = (n) => (n >= 1024 ? `${n / 1024}k` : `${n}`);
    const filled = (name, place) => svg("rect", { ...place, fill: `url(#${box.id}-${name})` });
    const patterns = () => svg("defs", {}, Object.entries(MARKS).map(([name, mark]) =>
      svg("pattern", { id: `${box.id}-${name}`, width: 8, height: 8, patternUnits: "userSpaceOnUse" },
        svg("rect", { width: 8, height: 8, class: name }), svg("path", { class: "mark", d: mark }))));
    let last = null, room = 0;

    function draw(state) {
      last = state; room = stage.clientWidth;
      const found = compute(data, state), wide = Math.max(300, Math.min(720, room || 640));
      const label = _("FLOPs of a pass of {model} by step, as bars over the length of the text", { model: state.model });
      const high = wide < 480 ? 300 : 340, root = svg("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": label });
      root.append(patterns(), ...chart(state, found, wide, high));
      stage.replaceChildren(root, key(state));
      speak(state, found);
      const shown = Object.entries(found.parts).filter(([name]) => name !== "lm_head" || state.whole);
      table([_("step"), _("FLOPs"), _("share")], [
        ...shown.map(([name, flops]) => [names[name] || (name === "output" ? _("output") : name), fmt.si(flops, 4), fmt.percent(flops / found.total, 1)]),
        [_("all"), fmt.si(found.total, 4), fmt.percent(1)]]);
    }

    function chart(state, found, wide, high) {
      const left = 58, top = 14, foot = high - 44, step = (wide - left - 8) / LENGTHS.length, share = state.show === "shares";
      const perToken = (bar) => bar.total / (state.cached ? state.batch : state.batch * bar.length);
      const most = share ? 1 : Math.max(...found.bars.map(perToken)) * 1.02, y = scale({ domain: [0, most], range: [foot, top] });
      const grid = svg("g", { class: "grid" }), plot = svg("g", { class: "plot" });
      const write = (text, attributes) => grid.append(svg("text", { "text-anchor": "middle", ...attributes }, text));
      for (const t of y.ticks(4)) {
        grid.append(svg("line", { x1: left, x2: wide - 8, y1: y(t), y2: y(t) }));
        write(share ? fmt.percent(t) : fmt.si(t), { x: left - 6, y: y(t) + 4, "text-anchor": "end" });
      }
      found.bars.forEach((bar, n) => {
        const x = left + n * step, now = bar.length === state.length, height = share ? 1 : perToken(bar);
        let below = 0;
        for (const [name, of] of STACK) {
          const above = below + (sum(bar.parts, of) / bar.total) * height;
          plot.append(filled(name, { x: x + 2, width: step - 4, y: y(above), height: Math.max(0, y(below) - y(above)) }));
          below = above;
        }
        const frame = { class: "chosen", x: x + 0.5, width: step - 1, y: y(below) - 2, height: foot - y(below) + 4 };
        if (now) plot.append(svg("rect", frame));
        if (now || wide >= 480 || n % 2 === 0) write(short(bar.length), { class: now && "now", x: x + step / 2, y: foot + 17 });
      });
      const cross = left + (Math.log2(found.crossover / LENGTHS[0]) + 0.5) * step; // the bars stand at powers of 2
      if (cross > left && cross < wide - 8) plot.append(svg("line", { class: "cross", x1: cross, x2: cross, y1: top, y2: foot }));
      write(_("tokens of the text"), { class: "axis", x: (left + wide) / 2, y: high - 6 });
      write(share ? _("share of the FLOPs") : _("FLOPs per token of the pass"),
        { class: "axis", x: -(top + foot) / 2, y: 13, transform: "rotate(-90)" });
      return [grid, plot];
    }

    function key(state) {
      const item = (mark, words) => h("li", {}, svg("svg", { viewBox: "0 0 20 20", "aria-hidden": "true" }, mark), words);
      const shown = STACK.map(([name]) => name).filter((name) => name !== "lm_head" || state.whole).reverse();
      return h("ul", { class: "key" }, shown.map((name) => item(filled(name, { width: 20, height: 20 }), names[name])),
        item(svg("line", { class: "cross", x1: 10, x2: 10, y1: 0, y2: 20 }), _("scores and values overtake the rest of the layer")));
    }

    function speak(state, found) {
      const values = { total: fmt.si(found.total), tokens: count(found.tokens), share: fmt.percent(found.square, 1),
        cross: count(found.crossover), head: fmt.percent(found.parts.lm_head / found.total, 1) };
      const notes = [state.cached ? _("With a cache a pass costs {total}FLOP, for this number of tokens: {tokens}.", values)
        : _("Without a cache a pass costs {total}FLOP, for this number of tokens: {tokens}.", values)];
      notes.push(_("Scores and values are {share} of it; in a layer they overtake the rest at {cross} tokens.", values));
      if (state.whole) notes.push(_("lm_head is {head}.", values));
      say(notes.join(" "));
    }
    new ResizeObserver(() => { if (last && stage.clientWidth !== room) draw(last); }).observe(stage); // only the width matters
    return draw;
  }

  if (typeof module !== "undefined") module.exports = { compute };
  else llmlab.figure("layer-flops", { mount });
})();
