/* What a KV cache weighs, and what fits beside the weights. Data: book/_data/cost.json (shapes, parameters, memories, widths).
   `compute` is the arithmetic; tests/book compares it with solutions/flops.py. Only weights and cache are planned for, as there. */
(function () {
  "use strict";
  const CONTEXTS = [128, 512, 1024, 2048, 4096, 8192, 32768, 131072];

  /* sharing: "published" kv heads, "all" (each query head has its own) or "one" (for all query heads). Fewer kv heads also make the
     maps to keys and values smaller, and so the weights. largest: sequences of this context; longest: tokens a sequence, this batch. */
  function compute(data, state) {
    const model = data.models[state.model], memory = data.accelerators[state.accelerator].memory, { batch, context } = state;
    const kvHeads = { published: model.kv_heads, all: model.heads, one: 1 }[state.sharing];
    const added = (kvHeads - model.kv_heads) * model.head_dim; // outputs of the two maps that the published model does not have
    const parameters = model.parameters + 2 * model.layers * added * (model.hidden + (model.bias ? 1 : 0));
    const perToken = 2 * model.layers * kvHeads * model.head_dim * data.caches[state.cache];
    const weightBytes = parameters * data.weights[state.weights], cacheBytes = perToken * batch * context, free = memory - weightBytes;
    const largest = (length) => Math.max(0, Math.floor(free / (perToken * length)));
    const longest = Math.max(0, Math.floor(free / (perToken * batch))), fits = weightBytes + cacheBytes <= memory;
    return { kvHeads, parameters, perToken, weightBytes, cacheBytes, memory, fits, largest: largest(context), longest,
      table: CONTEXTS.map((c) => [c, largest(c)]) };
  }

  function mount(stage, { box, data, say, table }) {
    const { _, h, svg, fmt } = llmlab, GB = (bytes) => `${fmt.si(bytes)}B`, count = (n) => n.toLocaleString("en");
    const hatch = `${box.id}-hatch`, fills = { cache: `url(#${hatch})` };
    const part = (name, place) => svg("rect", { class: `part ${name}`, fill: fills[name], ...place });
    let last = null, room = 0;

    function draw(state) {
      last = state; room = stage.clientWidth;
      const found = compute(data, state), model = data.models[state.model], need = found.weightBytes + found.cacheBytes;
      const product = [_("{n} layers", { n: model.layers }), _("{n} kv heads", { n: found.kvHeads }),
        _("{n} numbers", { n: model.head_dim }), _("{n} bytes", { n: data.caches[state.cache] })];
      const formula = h("p", { class: "formula" },
        `${_("one token:")} 2 · ${product.join(" · ")} = `, h("strong", {}, fmt.bytes(found.perToken, 4)));
      const square = (name) => svg("svg", { viewBox: "0 0 20 20", "aria-hidden": "true" }, part(name, { width: 20, height: 20 }));
      const key = h("ul", { class: "key" },
        h("li", {}, square("weights"), _("weights: {x}", { x: GB(found.weightBytes) })),
        h("li", {}, square("cache"), _("cache: {x}", { x: GB(found.cacheBytes) })),
        found.fits ? h("li", {}, square("free"), _("free: {x}", { x: GB(found.memory - need) }))
          : h("li", {}, _("missing: {x}", { x: GB(need - found.memory) })));
      stage.replaceChildren(formula, bar(state, found, need), key);
      speak(state, found, model);
      table([_("context"), _("cache of one sequence"), _("largest batch")],
        found.table.map(([context, batch]) => [count(context), GB(found.perToken * context), count(batch)]));
    }

    /* Weights, then cache, in the memory or beyond its end. */
    function bar(state, found, need) {
      const wide = Math.max(290, Math.min(720, room || 640)), most = Math.max(found.memory, need) * 1.02;
      const x = (bytes) => 8 + (bytes / most) * (wide - 16), end = x(found.memory), far = end > wide / 2;
      const stretch = (name, from, to) => part(name, { x: x(from), y: 32, width: x(to) - x(from), height: 44 });
      const label = _("Memory of one {chip}: {weights} weights, {cache} cache, of {memory}", { chip: state.accelerator,
        weights: GB(found.weightBytes), cache: GB(found.cacheBytes), memory: GB(found.memory) });
      return svg("svg", { viewBox: `0 0 ${wide} 92`, role: "img", "aria-label": label },
        svg("defs", {}, svg("pattern", { id: hatch, width: 8, height: 8, patternUnits: "userSpaceOnUse" },
          svg("rect", { class: "base", width: 8, height: 8 }), svg("path", { class: "mark", d: "M-2 6l8 -8M0 8l8 -8M4 10l8 -8" }))),
        stretch("free", 0, found.memory), stretch("weights", 0, found.weightBytes), stretch("cache", found.weightBytes, need),
        svg("line", { class: "limit", x1: end, x2: end, y1: 24, y2: 84 }),
        svg("text", { x: end + (far ? -5 : 5), y: 20, "text-anchor": far ? "end" : "start" },
          _("memory: {memory}", { memory: GB(found.memory) })));
    }

    function speak(state, found, model) {
      const values = { token: fmt.bytes(found.perToken, 4), cache: GB(found.cacheBytes), batch: state.batch,
        context: count(state.context), largest: count(found.largest), longest: count(found.longest), chip: state.accelerator,
        times: fmt.sig(found.cacheBytes / found.weightBytes, 2) };
      const notes = [_("Each token keeps {token}.", values),
        _("A batch of {batch} with {context} tokens each keeps {cache}, {times} times the weights.", values)];
      if (found.weightBytes > found.memory) notes.push(_("The weights alone do not fit into one {chip}.", values));
      else {
        notes.push(found.fits ? _("It fits.") : _("It does not fit."));
        notes.push(_("The largest batch of this context is {largest}, the longest context of this batch {longest}.", values));
      }
      if (model.positions && state.context > model.positions) notes.push(_("The model was not made for so long a context."));
      say(notes.join(" "));
    }
    new ResizeObserver(() => { if (last && stage.clientWidth !== room) draw(last); }).observe(stage); // only the width matters
    return draw;
  }

  if (typeof module !== "undefined") module.exports = { compute };
  else llmlab.figure("kv-memory", { mount });
})();
