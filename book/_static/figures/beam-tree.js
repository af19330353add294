/* A beam search, step by step, with the branches that it dropped. Data: book/_data/beam.json, what the shipped model said of every
   prefix that a search asked it for. `compute` does the search again from these log-probabilities; tests/book compares it with
   solutions/decoding.py. Dropped branches are the next best candidates: as many again as there are beams. */
(function () {
  "use strict";

  /* The candidates of each step, best first, with their fate: kept, finished (ended in EOS among the best), or pruned; then what
     competes if the search ends after `step` tokens, by score = sum / length ** alpha, best first. As in beam_search. */
  function search(nodes, eos, beams, alpha, step) {
    let live = [{ path: [], total: 0 }];
    const steps = [], done = [];
    for (let t = 1; t <= step && live.length; t++) {
      const grown = live.flatMap((beam) => nodes[beam.path.join(" ")].map(([token, logp]) => (
        { path: [...beam.path, token], token, logp, total: beam.total + logp })));
      const ranked = grown.sort((a, b) => b.total - a.total).slice(0, 2 * beams);
      live = ranked.filter((one) => one.token !== eos).slice(0, beams);
      ranked.forEach((one, rank) => {
        one.fate = live.includes(one) ? "kept" : one.token === eos && rank < beams ? "finished" : "pruned";
        if (one.fate === "finished") done.push(one);
      });
      steps.push(ranked);
    }
    const score = (one) => ({ ...one, score: one.total / one.path.length ** alpha });
    return { steps, hypotheses: [...done, ...live].map(score).sort((a, b) => b.score - a.score).slice(0, beams) };
  }

  /* greedy: the search with one beam. lost: the step at which the greedy text was dropped, 0 if it was not. */
  function compute({ eos, prompts }, { prompt, beams, alpha, step }) {
    const { nodes } = prompts[prompt], found = search(nodes, eos, beams, alpha, step);
    const greedy = search(nodes, eos, 1, alpha, step).hypotheses[0];
    const alive = found.steps.map((ranked) => ranked.some((one) => one.fate !== "pruned"
      && one.path.join(" ") === greedy.path.slice(0, one.path.length).join(" ")));
    return { ...found, greedy, lost: alive.slice(0, greedy.path.length).indexOf(false) + 1 };
  }

  const visible = (text) => text.replace(/ /g, "␣").replace(/\n/g, "⏎");
  const MARKS = { kept: (x, y) => `M${x - 4} ${y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z`, finished: (x, y) => `M${x - 4} ${y - 4}h8v8h-8z`,
    pruned: (x, y) => `M${x - 3} ${y - 3}l6 6M${x + 3} ${y - 3}l-6 6` };

  const key = (path) => path.join(" ");
  const leads = (one, path) => path.length >= one.path.length && one.path.every((token, i) => token === path[i]);

  /* Places of the nodes: a row for each leaf, a parent amid its children. */
  function layout(steps) {
    const children = {}, places = {};
    for (const one of steps.flat()) (children[key(one.path.slice(0, -1))] ||= []).push(one);
    let rows = 0;
    const place = (at) => {
      const below = (children[at] || []).map((one) => place(key(one.path)));
      return (places[at] = below.length ? (below[0] + below[below.length - 1]) / 2 : rows++);
    };
    place("");
    return { places, rows };
  }

  function mount(stage, { data, say, table }) {
    const { _, h, svg } = llmlab;
    const fates = { kept: _("kept"), finished: _("finished"), pruned: _("pruned") };
    const word = (token) => (token === data.eos ? _("EOS") : visible(data.tokens[token]));
    const text = (path) => path.map((token) => (token === data.eos ? ` [${_("EOS")}]` : data.tokens[token])).join("").trim();
    const number = (x) => x.toFixed(2).replace("-", "−");
    let last = null, room = 0;

    function draw(state) {
      last = state; room = stage.clientWidth;
      const found = compute(data, state), [best] = found.hypotheses;
      const prompt = h("p", { class: "prompt" }, _("The text so far:"), " ", h("code", {}, data.prompts[state.prompt].text));
      stage.replaceChildren(prompt, tree(found, best), legend());
      speak(state, found, best);
      const rows = found.steps[found.steps.length - 1].map((one) => [one.path.map(word).join("").replace(/␣/g, " ").trim(),
        String(one.path.length), number(one.total), number(one.total / one.path.length ** state.alpha), fates[one.fate]]);
      table([_("text"), _("step"), _("sum"), _("score"), _("fate")], rows);
    }

    /* Steps go to the right. Where there is little room, the sum stands below the token. */
    function tree(found, best) {
      const { places, rows } = layout(found.steps), wide = Math.max(290, Math.min(760, room || 640)), small = wide < 560;
      const column = (wide - 14) / data.steps, tall = small ? 31 : 20, indent = small ? 8 : column * 0.2;
      const x = (depth) => (depth ? 14 + (depth - 1) * column + indent : 6), y = (path) => 6 + (places[key(path)] + 0.5) * tall;
      const edges = svg("g"), nodes = svg("g"), ends = { "": x(0) + 4 }, all = found.steps.flat();
      for (const one of all) {
        const cx = x(one.path.length), cy = y(one.path), parent = one.path.slice(0, -1), py = y(parent);
        const kind = `${one.fate}${leads(one, best.path) ? " best" : ""}`;
        const [name, sum] = label(one, key(one.path) === key(best.path), small);
        const letters = small ? name.length : name.length + sum.length + 1;
        ends[key(one.path)] = Math.min(cx + 8 + letters * 6.6, cx + column * 0.8 - 6);
        const from = Math.min(ends[key(parent)], cx - 12), bend = (from + cx - 6) / 2;
        edges.append(svg("path", { class: `edge ${kind}`, d: `M${from} ${py}C${bend} ${py} ${bend} ${cy} ${cx - 6} ${cy}` }));
        if (leads(one, found.greedy.path)) nodes.append(svg("circle", { class: "greedy", cx, cy, r: 8 }));
        nodes.append(svg("path", { class: `node ${kind}`, d: MARKS[one.fate](cx, cy) }));
        const write = (words, down) => nodes.append(svg("text", { class: kind, x: cx + 11, y: cy + down }, words));
        if (small) write(name, -2), write(sum, 11);
        else write(`${name} ${sum}`, 4);
      }
      const pruned = all.filter((one) => one.fate === "pruned").length;
      return svg("svg", { viewBox: `0 0 ${wide} ${rows * tall + 12}`, role: "img", class: "tree", "aria-label":
        _("Tree of a beam search: {kept} branches kept or finished, {pruned} pruned", { kept: all.length - pruned, pruned }) },
      edges, svg("circle", { class: "root", cx: x(0), cy: y([]), r: 4 }), nodes);
    }

    function label(one, wins, small) {
      const shown = small ? word(one.token).replace(/^␣/, "") : word(one.token);
      return [small && shown.length > 6 ? `${shown.slice(0, 5)}…` : shown, number(one.total) + (wins ? " ★" : "")];
    }

    function legend() {
      const item = (mark, words) => h("li", {}, svg("svg", { viewBox: "0 0 20 20", "aria-hidden": "true" }, mark), words);
      return h("ul", { class: "key" },
        Object.keys(fates).map((fate) => item(svg("path", { class: `node ${fate}`, d: MARKS[fate](10, 10) }), fates[fate])),
        item(svg("circle", { class: "greedy", cx: 10, cy: 10, r: 8 }), _("on the greedy path")),
        h("li", {}, "★ ", _("best, if the search ended here")));
    }

    function speak(state, found, best) {
      const { greedy } = found, same = greedy.path.join(" ") === best.path.join(" ");
      const values = { t: state.step, beams: state.beams, text: text(best.path), sum: number(best.total),
        score: number(best.score), greedy: text(greedy.path), less: number(greedy.total), lost: found.lost };
      const notes = [state.alpha
        ? _("Step {t}, beam width {beams}: the best text is “{text}”, log-probability {sum}, score {score}.", values)
        : _("Step {t}, beam width {beams}: the best text is “{text}”, log-probability {sum}.", values)];
      notes.push(same ? _("Greedy decoding writes the same.")
        : _("Greedy decoding writes “{greedy}”, log-probability {less}.", values));
      if (!same && found.lost) notes.push(_("The greedy text was pruned at step {lost}.", values));
      say(notes.join(" "));
    }
    new ResizeObserver(() => { if (last && stage.clientWidth !== room) draw(last); }).observe(stage); // only the width matters
    return draw;
  }

  if (typeof module !== "undefined") module.exports = { compute };
  else llmlab.figure("beam-tree", { mount });
})();
