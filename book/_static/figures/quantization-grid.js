/* Weights on a grid: codes, scales, zero points and errors of 64 weights, one of which the reader drags. Data:
   book/_data/quantization.json. `compute` is the arithmetic (tests/book compares it with the Python reference, which a test holds
   against solutions/quantization.py); `mount` is the page. Weights come with the data. */
(function () {
  "use strict";

  // To the nearest integer, ties to even, as Python and torch round.
  function even(x) {
    const below = Math.floor(x), part = x - below;
    return part > 0.5 || (part === 0.5 && below % 2 !== 0) ? below + 1 : below;
  }
  const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
  const total = (x) => x.reduce((a, b) => a + b, 0);

  /* One group: scale, zero point (or null), codes, the weights that the codes stand for, and the smallest and largest code. */
  function oneGroup(x, scheme, bits, table) {
    const size = Math.max(...x.map(Math.abs));
    if (scheme === "nf4") {
      const scale = size || 1;
      const codes = x.map((v) => table.reduce((best, t, i) => (Math.abs(v / scale - t) < Math.abs(v / scale - table[best]) ? i : best), 0));
      return { scale, zero: null, codes, back: codes.map((c) => table[c] * scale), least: 0, most: table.length - 1 };
    }
    if (scheme === "symmetric") {
      const most = 2 ** (bits - 1) - 1, scale = size / most || 1, codes = x.map((v) => clamp(even(v / scale), -most, most));
      return { scale, zero: null, codes, back: codes.map((c) => c * scale), least: -most, most };
    }
    const most = 2 ** bits - 1, low = Math.min(0, ...x), high = Math.max(0, ...x), scale = (high - low) / most || 1;
    const zero = even(-low / scale), codes = x.map((v) => clamp(even(v / scale) + zero, 0, most));
    return { scale, zero, codes, back: codes.map((c) => (c - zero) * scale), least: 0, most };
  }

  /* outlier: where the one weight is dragged to; null leaves it. `error`: squared error as a share of the squares; `others`: the same
     without the outlier; `bits`: for each weight, with a float16 scale for each group and a zero point as wide as a code; `used`: how
     often each code from least to most. */
  function compute(data, { scheme, bits, group, outlier }) {
    const x = data.weights.map((w, i) => (i === data.outlier && outlier !== null ? outlier : w)), width = scheme === "nf4" ? 4 : bits;
    const groups = [];
    for (let i = 0; i < x.length; i += group) {
      const part = x.slice(i, i + group), one = oneGroup(part, scheme, width, data.table);
      groups.push({ first: i, ...one, rms: Math.sqrt(total(part.map((v, j) => (one.back[j] - v) ** 2)) / group) });
    }
    const back = groups.flatMap((one) => one.back), { least, most } = groups[0], used = Array(most - least + 1).fill(0);
    for (const one of groups) for (const code of one.codes) used[code - least] += 1;
    const share = (keep) => total(x.map((v, i) => (keep(i) ? (back[i] - v) ** 2 : 0))) / total(x.map((v, i) => (keep(i) ? v * v : 0)));
    return { x, back, groups, used, least, error: share(() => true), others: share((i) => i !== data.outlier),
      bits: width + (16 + (scheme === "affine" ? width : 0)) / group };
  }

  // The values that a group's codes stand for, from the smallest on.
  function lines(one, scheme, table) {
    const codes = Array.from({ length: one.most - one.least + 1 }, (_, i) => one.least + i);
    return codes.map((code) => (scheme === "nf4" ? table[code] * one.scale : (code - (one.zero || 0)) * one.scale));
  }

  const FAR = 2, NEAR = 0.32; // the ends of the two pictures: the whole range of the outlier, and where the others lie

  function mount(stage, fig) {
    const { _, h, svg, fmt, scale } = llmlab, { data, box } = fig, count = data.weights.length, at = data.outlier;
    let last = null;
    const all = h("div", { class: "drag" }), near = h("div", {}), below = h("div", { class: "below" });
    const title = (text) => h("p", { class: "title" }, text);
    stage.append(title(_("All weights. Drag the large dot up or down, or use the slider.")), all,
      title(_("The same, closer: weights (rings), the grid of each group (lines), what they are rounded to (dots).")), near, below);

    // Dragging: the pictures are drawn anew at each move, so the surrounding element listens.
    const value = (event) => {
      const frame = all.querySelector("svg").getBoundingClientRect(), part = (event.clientY - frame.top) / frame.height;
      return clamp(even((FAR * 1.15 * (1 - 2 * part)) / 0.05) * 0.05, -FAR, FAR);
    };
    const move = (event) => fig.set({ outlier: value(event) });
    all.addEventListener("pointerdown", (event) => {
      if (!event.target.closest(".handle")) return;
      event.preventDefault();
      all.setPointerCapture(event.pointerId);
      all.addEventListener("pointermove", move);
    });
    for (const end of ["pointerup", "pointercancel"]) all.addEventListener(end, () => all.removeEventListener("pointermove", move));

    function frame(wide, height, reach, ticks, label) {
      const x = scale({ domain: [-1, count], range: [40, wide - 6] }), y = scale({ domain: [-reach, reach], range: [height, 0] });
      const root = svg("svg", { viewBox: `0 0 ${wide} ${height}`, role: "img", "aria-label": label });
      for (const tick of ticks) root.append(svg("text", { class: "tick", x: 34, y: y(tick) + 4, "text-anchor": "end" }, tick),
        svg("line", { class: tick ? "faint" : "zero", x1: 40, x2: wide - 6, y1: y(tick), y2: y(tick) }));
      return { root, x, y };
    }

    function overview(found, wide) {
      const { root, x, y } = frame(wide, 150, FAR * 1.15, [-2, -1, 0, 1, 2], _("All weights"));
      found.x.forEach((v, i) => { if (i !== at) root.append(svg("circle", { class: "weight", cx: x(i), cy: y(v), r: 2.5 })); });
      root.append(svg("g", { class: "handle" }, svg("circle", { class: "reach", cx: x(at), cy: y(found.x[at]), r: 24 }),
        svg("circle", { class: "knob-dot", cx: x(at), cy: y(found.x[at]), r: 8 }),
        svg("path", { class: "arrows", d: `M${x(at) + 14} ${y(found.x[at]) - 3}l4 -7l4 7zm0 6l4 7l4 -7z` })));
      all.replaceChildren(root);
    }

    const holds = (one, state) => at >= one.first && at < one.first + state.group;
    function closer(found, state, wide) {
      const label = _("The weights, their grids, and what they are rounded to");
      const { root, x, y } = frame(wide, 300, NEAR, [-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3], label);
      const seen = (v) => Math.abs(v) <= NEAR;
      found.groups.forEach((one, g) => {
        const from = x(one.first - 0.5), to = x(one.first + state.group - 0.5), mine = holds(one, state);
        const grid = lines(one, state.scheme, data.table).filter(seen), kind = grid.length > 60 ? "level fine" : "level";
        root.append(svg("rect", { class: mine ? "group mine" : "group", x: from, y: 0, width: to - from, height: 300 }),
          ...grid.map((v) => svg("line", { class: kind, x1: from + 2, x2: to - 2, y1: y(v), y2: y(v) })));
        one.codes.forEach((_code, j) => {
          const i = one.first + j, cx = x(i), v = found.x[i], b = one.back[j];
          if (seen(v)) root.append(svg("line", { class: "error", x1: cx, x2: cx, y1: y(v), y2: y(clamp(b, -NEAR, NEAR)) }),
            svg("circle", { class: "ring", cx, cy: y(v), r: 3 }));
          if (seen(b)) root.append(svg("circle", { class: "rounded", cx, cy: y(b), r: 2.2 }));
          if (!seen(v)) root.append(svg("path", { class: "away", d: `M${cx - 6} ${v > 0 ? 12 : 288}h12l-6 ${v > 0 ? -10 : 10}z` }));
        });
        if (state.group > 8 || wide > 500)
          root.append(svg("text", { class: "tick", x: (from + to) / 2, y: 294, "text-anchor": "middle" }, g + 1));
      });
      near.replaceChildren(root);
    }

    function histogram(found, wide) {
      const { used, least } = found, x = scale({ domain: [least - 0.5, least + used.length - 0.5], range: [30, wide - 6] });
      const most = Math.max(...used), y = scale({ domain: [0, most], range: [100, 8] }), half = Math.max(0.5, (x(1) - x(0)) * 0.4);
      const every = Math.ceil(used.length / 16), ends = [[0, "0"], [most, String(most)]];
      return svg("svg", { viewBox: `0 0 ${wide} 124`, role: "img", "aria-label": _("How often each code is used") },
        ends.map(([v, text]) => svg("text", { class: "tick", x: 24, y: y(v) + 4, "text-anchor": "end" }, text)),
        svg("line", { class: "zero", x1: 30, x2: wide - 6, y1: 100, y2: 100 }),
        used.map((n, i) => [n ? svg("rect", { class: "bar", x: x(least + i) - half, y: y(n), width: 2 * half, height: 100 - y(n) }) : null,
          (least + i) % every ? null : svg("text", { class: "tick", x: x(least + i), y: 118, "text-anchor": "middle" }, least + i)]));
    }

    function draw(state) {
      last = state;
      const found = compute(data, state), wide = Math.max(280, Math.min(700, stage.clientWidth || 640)), { groups } = found;
      box.querySelector("[name=bits]").disabled = state.scheme === "nf4";
      overview(found, wide);
      closer(found, state, wide);
      const worst = Math.max(...groups.map((one) => one.rms)) || 1, mine = groups.find((one) => holds(one, state));
      const zero = state.scheme === "affine", row = (one, i) => h("tr", { class: one === mine ? "mine" : "" },
        h("th", { scope: "row" }, i + 1, one === mine ? " ◂" : ""), h("td", {}, one.scale.toFixed(4)), zero ? h("td", {}, one.zero) : null,
        h("td", {}, h("i", { style: `width:${(60 * one.rms) / worst}%` }), one.rms.toFixed(4)));
      below.replaceChildren(h("div", { class: "fig-scroll" }, h("table", { class: "groups" },
        h("thead", {}, h("tr", {}, [_("group"), _("scale"), zero ? _("zero point") : null, _("error (root mean square)")].filter(Boolean)
          .map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, groups.map(row)))),
      title(_("How often each code is used")), histogram(found, wide));
      const v = { bits: fmt.sig(found.bits, 4), error: fmt.percent(found.error, 2), others: fmt.percent(found.others, 2),
        used: found.used.filter(Boolean).length, codes: found.used.length, scale: mine.scale.toFixed(3),
        rest: groups.length > 1 ? Math.max(...groups.filter((one) => one !== mine).map((one) => one.scale)).toFixed(3) : "" };
      fig.say([_("{bits} bits a weight with its share of the scale. {used} of {codes} codes are used.", v),
        _("The squared error is {error} of the squares, {others} without the weight that moves.", v),
        v.rest ? _("Its group has the scale {scale}, the others at most {rest}.", v) : _("All share the scale {scale}.", v)].join(" "));
      fig.table([_("group"), _("weights"), _("codes"), _("scale"), _("zero point"), _("error (root mean square)")], groups.map((one, i) =>
        [i + 1, found.x.slice(one.first, one.first + state.group).map((w) => w.toFixed(3)).join(" "), one.codes.join(" "),
          one.scale.toFixed(4), one.zero ?? "", one.rms.toFixed(4)]));
    }
    let seen = 0;
    new ResizeObserver(() => { if (last && stage.clientWidth !== seen) { seen = stage.clientWidth; draw(last); } }).observe(stage);
    return draw;
  }

  if (typeof module !== "undefined") module.exports = { compute };
  else llmlab.figure("quantization-grid", { mount });
})();
