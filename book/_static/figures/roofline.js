/* One pass of a model under the roof of an accelerator. Data: book/_data/cost.json (shapes, parameters, data sheets, widths).
   `compute` is the arithmetic; tests/book compares it with solutions/flops.py. Counted as in that module: matrix products only,
   everything moved once, transfers and arithmetic at the same time. No time here was measured. */
(function () {
  "use strict";
  const ACTIVATION = 2; // bytes of a number on its way through the model: bfloat16, whatever weights and cache are

  /* What `fresh` new tokens of each sequence cost. Three pieces of work: the MLPs of all layers, their attention (scores and values,
     which never reach the memory), and the whole pass: all weights once, the cache of every sequence, all products. */
  function compute(data, state) {
    const model = data.models[state.model], chip = data.accelerators[state.accelerator], { batch, context } = state;
    const width = data.weights[state.weights], cell = data.caches[state.cache];
    const fresh = state.phase === "decode" ? 1 : Math.min(state.chunk, context);
    const { layers, hidden, heads, kv_heads: kvHeads, head_dim: size, mlp, vocab } = model;
    const tokens = batch * fresh, queries = heads * size, keys = kvHeads * size, into = model.gated ? 2 : 1;

    const work = (flops, bytes) => {
      const arithmetic = flops / chip.flops, transfer = bytes / chip.bandwidth, seconds = Math.max(arithmetic, transfer);
      return { flops, bytes, arithmetic, transfer, seconds, intensity: flops / bytes, attained: flops / seconds,
        bound: arithmetic >= transfer ? "compute" : "memory" };
    };
    const mlps = work(layers * (into + 1) * 2 * tokens * hidden * mlp,
      layers * (ACTIVATION * (2 * tokens * hidden + into * tokens * mlp) + width * (into + 1) * hidden * mlp));
    const attention = work(layers * 4 * tokens * queries * context,
      layers * batch * (ACTIVATION * 2 * queries * fresh + cell * 2 * keys * context));
    const projections = layers * 2 * tokens * hidden * (2 * queries + 2 * keys), head = 2 * batch * hidden * vocab;
    const weightBytes = model.parameters * width, cacheBytes = 2 * layers * keys * batch * context * cell;
    const step = work(mlps.flops + attention.flops + projections + head, weightBytes + cacheBytes);
    return { fresh, mlp: mlps, attention, step, weightBytes, cacheBytes, ridge: chip.flops / chip.bandwidth,
      fits: weightBytes + cacheBytes <= chip.memory, perSecond: tokens / step.seconds,
      beyond: model.positions > 0 && context > model.positions };
  }

  const PARTS = [["mlp", "M"], ["attention", "A"], ["step", "S"]];
  // One shape a series: square, triangle, circle.
  const SHAPES = { mlp: (x, y) => `M${x - 6} ${y - 6}h12v12h-12z`, attention: (x, y) => `M${x} ${y - 8}l8 14h-16z`,
    step: (x, y) => `M${x - 7} ${y}a7 7 0 1 0 14 0a7 7 0 1 0 -14 0z` };

  function mount(stage, { box, data, knobs, say, table }) {
    const { _, h, svg, fmt, axes, path } = llmlab;
    const names = { mlp: _("MLP"), attention: _("attention"), step: _("whole pass") };
    const bounds = { compute: _("arithmetic"), memory: _("transfer") };
    const GB = (bytes) => `${fmt.si(bytes)}B`, rate = (x) => (x < 1000 ? fmt.sig(x) : (+x.toPrecision(3)).toLocaleString("en"));
    const LOW = 0.1, HIGH = 1e5, clamp = (x) => Math.min(HIGH, Math.max(LOW, x));
    let last = null, room = 0;

    function draw(state) {
      last = state; room = stage.clientWidth;
      const found = compute(data, state), chip = data.accelerators[state.accelerator];
      const wide = Math.max(300, Math.min(720, room || 640)), small = wide < 480;
      const roof = (intensity) => Math.min(chip.flops, chip.bandwidth * intensity);
      const low = 10 ** Math.floor(Math.log10(roof(LOW))), high = 2 * chip.flops;
      const { root, plot, x, y } = axes({ width: wide, height: small ? 300 : 360, margin: { left: 66, right: 24, top: 52 },
        x: { domain: [LOW, HIGH], log: true, ticks: 6 }, y: { domain: [low, high], log: true, ticks: 6 },
        xlabel: _("intensity, FLOPs per byte"), ylabel: _("FLOP/s"), label: _("Roofline of {chip}", { chip: state.accelerator }) });
      const at = (one) => [x(clamp(one.intensity)), y(Math.max(low, roof(clamp(one.intensity))))];
      const corner = [x(found.ridge), y(chip.flops)];
      plot.append(svg("path", { class: "roof", d: path([[x(LOW), y(roof(LOW))], corner, [x(HIGH), y(chip.flops)]]) }),
        svg("line", { class: "ridge", x1: corner[0], x2: corner[0], y1: corner[1], y2: y(low) }),
        svg("text", { class: "note", x: corner[0] - 6, y: y(low) - 8, "text-anchor": "end" }, _("memory-bound")),
        svg("text", { class: "note", x: corner[0] + 6, y: y(low) - 8 }, _("compute-bound")));
      for (const batch of knobs.batch.values) {
        const [cx, cy] = at(compute(data, { ...state, batch }).step);
        plot.append(svg("circle", { class: "trail", cx, cy, r: 2.5 }));
      }
      // Each point hangs on a line from its letter above the roof, a row for each, so that points that meet stay readable.
      PARTS.forEach(([name, letter], row) => {
        const [cx, cy] = at(found[name]), foot = 14 + 16 * row;
        plot.append(svg("line", { class: `drop ${name}`, x1: cx, x2: cx, y1: cy, y2: foot - 9 }),
          svg("path", { class: `point ${name}${found.fits ? "" : " unfit"}`, d: SHAPES[name](cx, cy) }),
          svg("text", { class: "tag", x: cx + 4, y: foot }, letter));
      });
      const key = h("ul", { class: "key" }, PARTS.map(([name, letter]) => h("li", {},
        svg("svg", { viewBox: "0 0 20 20", "aria-hidden": "true" }, svg("path", { class: `point ${name}`, d: SHAPES[name](10, 10) })),
        `${letter}: ${names[name]}`)), h("li", {}, svg("svg", { viewBox: "0 0 20 20", "aria-hidden": "true" },
        svg("circle", { class: "trail", cx: 10, cy: 10, r: 3 })), _("whole pass at other batches")));
      stage.replaceChildren(root, key);
      box.querySelector("[name=chunk]").disabled = state.phase === "decode";
      speak(state, found);
      table([_("work"), _("FLOPs"), _("moved"), _("FLOPs per byte"), _("arithmetic alone"), _("transfer alone"), _("bound by")],
        PARTS.map(([name]) => { const one = found[name]; return [names[name], fmt.si(one.flops), GB(one.bytes), fmt.sig(one.intensity),
          fmt.time(one.arithmetic), fmt.time(one.transfer), bounds[one.bound]]; }));
    }

    function speak(state, found) {
      const { step } = found, peak = data.accelerators[state.accelerator].flops;
      const values = { time: fmt.time(step.seconds), rate: rate(found.perSecond), fresh: found.fresh,
        times: fmt.sig(Math.max(step.arithmetic, step.transfer) / Math.min(step.arithmetic, step.transfer), 2),
        share: fmt.percent(step.attained / peak, 1), need: GB(step.bytes), kv: fmt.percent(found.cacheBytes / step.bytes) };
      const notes = [state.phase === "decode"
        ? _("A decode step takes at least {time}: {rate} tokens per second, all sequences together.", values)
        : _("A pass over {fresh} new tokens of each sequence takes at least {time}: {rate} tokens read per second.", values)];
      notes.push(step.bound === "memory"
        ? _("The memory traffic decides: it takes {times} times as long as the arithmetic, and {kv} of it is cache.", values)
        : _("The arithmetic decides: it takes {times} times as long as the memory traffic.", values));
      notes.push(_("{share} of the peak is used.", values));
      if (!found.fits) notes.push(_("Weights and cache do not fit: they need {need} (hollow marks).", values));
      if (found.beyond) notes.push(_("The model was not made for so long a context."));
      say(notes.join(" "));
    }
    new ResizeObserver(() => { if (last && stage.clientWidth !== room) draw(last); }).observe(stage); // only the width matters
    return draw;
  }

  if (typeof module !== "undefined") module.exports = { compute };
  else llmlab.figure("roofline", { mount });
})();
