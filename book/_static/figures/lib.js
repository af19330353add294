/* What every interactive figure shares: controls made from the declared knobs, drawing helpers, translated words. Classic script
   without dependency, so it runs from file://.

     llmlab.figure("roofline", { mount(stage, fig) { ...build once...; return (state) => { ...draw... }; } });

   `fig` has data, knobs, box, and
     set({batch: 4})        puts knobs into a state, as the buttons in the prose do, and draws
     limit("step", 7)       sets the last value of a slider
     say("...")             one sentence on what is shown, read out by screen readers
     table(heads, rows)     the same as numbers, in a table that opens below the figure
   It computes nothing about language models: each figure's own `compute` does, which tests/book runs under Node. */
(function () {
  "use strict";
  const _ = (text, values = {}) =>
    ((window.llmlabText || {})[text] || text).replace(/\{(\w+)\}/g, (all, name) => (name in values ? values[name] : all));

  /* Elements. h("p", {class: "x"}, "text", child), svg("circle", {cx: 1}, children...) */
  const make = (element, attributes, children) => {
    for (const [name, value] of Object.entries(attributes || {}))
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
    element.append(...children.flat(3).filter((child) => child !== null && child !== undefined).map((c) => (c instanceof Node ? c : String(c))));
    return element;
  };
  const h = (tag, attributes, ...children) => make(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) => make(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

  /* Numbers in words. fmt.si(1.5e9) = "1.5 G", fmt.bytes(2048) = "2 KiB", fmt.sig(0.01234, 2) = "0.012" */
  const steps = (base, units) => (x, digits = 3) => {
    let n = 0;
    while (Math.abs(x) >= base && n < units.length - 1) { x /= base; n++; }
    return `${fmt.sig(x, digits)} ${units[n]}`.trim();
  };
  const fmt = {
    sig: (x, digits = 3) => (Number.isFinite(x) ? (Math.abs(x) >= 10 ** digits ? Math.round(x) : +x.toPrecision(digits)).toString() : "∞"),
    si: steps(1000, ["", "k", "M", "G", "T", "P", "E"]),
    bytes: steps(1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]),
    percent: (x, digits = 0) => `${(100 * x).toFixed(digits)} %`,
    time: (s, digits = 3) => (s >= 1 ? `${fmt.sig(s, digits)} s` : s >= 1e-3 ? `${fmt.sig(s * 1e3, digits)} ms` : `${fmt.sig(s * 1e6, digits)} µs`),
  };

  /* A map from numbers to places: scale({domain: [1, 1000], range: [0, 300], log: true}); .ticks(5) and .invert(place) */
  function scale({ domain: [a, b], range: [p, q], log = false }) {
    const f = log ? Math.log10 : (x) => x, g = log ? (x) => 10 ** x : (x) => x;
    const place = (x) => p + ((f(x) - f(a)) / (f(b) - f(a))) * (q - p);
    place.invert = (at) => g(f(a) + ((at - p) / (q - p)) * (f(b) - f(a)));
    place.ticks = (wanted = 5) => {
      const found = [];
      if (log) {
        const first = Math.ceil(f(a) - 1e-9), last = Math.floor(f(b) + 1e-9), every = Math.max(1, Math.ceil((last - first) / wanted));
        for (let e = first; e <= last; e += every) found.push(10 ** e);
        return found;
      }
      const rough = (b - a) / wanted, power = 10 ** Math.floor(Math.log10(rough));
      const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999);
      for (let k = Math.ceil(a / step - 1e-9); k * step <= b + step * 1e-9; k++) found.push(+(k * step).toPrecision(12));
      return found;
    };
    return place;
  }

  /* An <svg> with axes, sized by its viewBox: axes({x, y, xlabel, ylabel, width, height, margin, xfmt, yfmt, label}); draw into .plot */
  function axes({ x, y, xlabel, ylabel, width = 640, height = 340, margin = {}, xfmt = fmt.si, yfmt = fmt.si, label }) {
    const m = { left: 62, right: 14, top: 12, bottom: 46, ...margin };
    const sx = scale({ ...x, range: [m.left, width - m.right] }), sy = scale({ ...y, range: [height - m.bottom, m.top] });
    const grid = svg("g", { class: "grid" }), plot = svg("g", { class: "plot" });
    for (const t of sx.ticks(x.ticks || 6))
      grid.append(svg("line", { x1: sx(t), x2: sx(t), y1: m.top, y2: height - m.bottom }),
        svg("text", { x: sx(t), y: height - m.bottom + 18, "text-anchor": "middle" }, xfmt(t)));
    for (const t of sy.ticks(y.ticks || 5))
      grid.append(svg("line", { x1: m.left, x2: width - m.right, y1: sy(t), y2: sy(t) }),
        svg("text", { x: m.left - 6, y: sy(t) + 4, "text-anchor": "end" }, yfmt(t)));
    grid.append(svg("text", { x: (m.left + width - m.right) / 2, y: height - 8, "text-anchor": "middle", class: "axis" }, xlabel),
      svg("text", { x: -(m.top + height - m.bottom) / 2, y: 15, transform: "rotate(-90)", "text-anchor": "middle", class: "axis" }, ylabel));
    const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label || `${ylabel}; ${xlabel}` }, grid, plot);
    return { root, plot, x: sx, y: sy };
  }
  const path = (points) => points.map(([a, b], i) => `${i ? "L" : "M"}${a.toFixed(2)} ${b.toFixed(2)}`).join("");

  /* One labelled native control for a knob; `get` and `put` translate between the control and the state. */
  function control(id, name, knob, changed) {
    const flag = typeof knob.start === "boolean", list = knob.values;
    const word = (value) => (knob.names || {})[value] || (typeof value === "number" ? +value.toFixed(knob.digits ?? 6) + "" : String(value));
    const at = `${id}-knob-${name}`;
    if (flag) {
      const input = h("input", { type: "checkbox", id: at, name });
      input.addEventListener("change", changed);
      return { node: h("div", { class: "knob knob-flag" }, input, h("label", { for: at }, knob.label)),
        get: () => input.checked, put: (v) => { input.checked = v === true || v === "1" || v === "true"; } };
    }
    if (list && (knob.kind === "select" || (knob.kind !== "slider" && list.some((v) => typeof v !== "number")))) {
      const input = h("select", { id: at, name }, list.map((v) => h("option", { value: v }, word(v))));
      input.addEventListener("change", changed);
      return { node: h("div", { class: "knob" }, h("label", { for: at }, knob.label), input),
        get: () => list[input.selectedIndex], put: (v) => { input.selectedIndex = list.findIndex((one) => String(one) === String(v)); } };
    }
    const [low, high] = list ? [0, list.length - 1] : knob.range;
    const input = h("input", { type: "range", id: at, name, min: low, max: high, step: list ? 1 : knob.step || "any" });
    const output = h("output", { for: at });
    const get = () => (list ? list[+input.value] : +input.value);
    const show = () => { const text = word(get()); output.textContent = text; input.setAttribute("aria-valuetext", text); };
    input.addEventListener("input", changed);
    return { node: h("div", { class: "knob" }, h("label", { for: at }, knob.label), output, input), get, show,
      put: (v) => { input.value = list ? list.findIndex((one) => String(one) === String(v)) : v; }, limit: (last) => { input.max = last; } };
  }

  function mountOne(box, definition) {
    const { title, knobs, data } = JSON.parse(box.querySelector("script[type='application/json']").textContent);
    box.querySelector(".fig-fallback")?.remove();
    const held = {}, controls = h("div", { class: "knobs" }), stage = h("div", { class: "fig-stage" });
    const said = h("p", { class: "fig-say", role: "status" }), twin = h("div", { class: "fig-table" });
    let draw = () => {}, ready = false;
    const state = () => Object.fromEntries(Object.entries(held).map(([name, one]) => [name, one.get()]));
    const redraw = () => { if (ready) { draw(state()); Object.values(held).forEach((one) => one.show?.()); } };
    const put = (values) => Object.entries(values).forEach(([name, value]) => held[name].put(value));
    const fig = {
      box, data, knobs, title,
      set: (values) => { put(values); redraw(); },
      limit: (name, last) => held[name].limit(last),
      state,
      say: (text) => { if (said.textContent !== text) said.textContent = text; },
      table: (heads, rows) => {
        const was = twin.querySelector("details")?.open;
        twin.replaceChildren(h("details", { open: was }, h("summary", {}, _("The same as numbers")),
          h("div", { class: "fig-scroll", tabindex: 0, role: "region", "aria-label": title }, h("table", {},
            h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
            h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, i) => h(i ? "td" : "th", i ? {} : { scope: "row" }, cell)))))))));
      },
    };
    for (const [name, knob] of Object.entries(knobs)) {
      held[name] = control(box.id, name, knob, redraw);
      controls.append(held[name].node);
    }
    const start = Object.fromEntries(Object.entries(knobs).map(([name, knob]) => [name, knob.start]));
    if (Object.keys(knobs).length)
      controls.append(h("button", { type: "button", class: "reset", onclick: () => { fig.reset?.(); fig.set(start); } }, _("Reset")));
    box.append(controls, said, stage, twin);
    put(start);
    draw = definition.mount(stage, fig) || draw;
    ready = true;
    redraw();
    // A button in the prose puts the figure into a state; knobs it does not name go to their start.
    document.addEventListener("click", (event) => {
      const button = event.target.closest("[data-set]");
      if (button && button.dataset.fig === box.id)
        fig.set({ ...start, ...Object.fromEntries(button.dataset.set.split(",").filter(Boolean).map((pair) => pair.split("="))) });
    });
  }

  window.llmlab = {
    _, h, svg, fmt, scale, axes, path,
    figure: (name, definition) => {
      const go = () => document.querySelectorAll(`.fig-${name}`).forEach((box) => mountOne(box, definition));
      if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", go);
      else go();
    },
  };
})();
