/* Stepper of a paged cache: blocks, tables, users of each block, the free list and the prefix cache after every call.
   `compute` is a block manager on plain arrays: it runs a list of calls and returns the state after each (tests/book compares
   it with the course's BlockManager). `mount` is the page: it steps through recorded stories, and the reader may go on with
   calls of their own. It moves no keys and values. */
(function () {
  "use strict";

  // The key of a block is the text up to its end, so equal keys mean an equal prefix; no hash is needed here.
  const key = (tokens, end) => tokens.slice(0, end).join(",");

  /* One pool. Every method changes the pool or throws {refused, ...} before anything has changed.
     `events` collects what the call did, for the sentence below the figure. */
  function pool({ blocks, size, caching }) {
    const free = Array.from({ length: blocks }, (_, i) => i), counts = Array(blocks).fill(0);
    const slots = counts.map(() => Array(size).fill(null)), tables = {}, tokens = {}, blockOf = new Map();
    let events = [];
    const known = (name) => { if (!(name in tables)) throw { refused: "unknown", name }; };
    const unused = (name) => { if (name in tables) throw { refused: "known", name }; };

    function take() { // the block that has been free for the longest time; what it held cannot be found any more
      if (!free.length) throw { refused: "full", need: 1, left: 0 };
      const block = free.shift();
      counts[block] = 1;
      for (const [text, held] of blockOf) {
        if (held === block) { blockOf.delete(text); events.push({ kind: "evicted", block }); }
      }
      slots[block] = Array(size).fill(null);
      return block;
    }
    function share(block) {
      if (counts[block] === 0) { free.splice(free.indexOf(block), 1); events.push({ kind: "revived", block }); }
      counts[block] += 1;
    }
    function drop(block) {
      counts[block] -= 1;
      if (counts[block] === 0) free.push(block);
    }
    function write(name, first) { // the tokens from `first` on into their slots; full blocks into the prefix cache
      const text = tokens[name], table = tables[name];
      for (let i = first; i < text.length; i++) slots[table[Math.floor(i / size)]][i % size] = text[i];
      for (let end = size; caching && end <= text.length; end += size) {
        if (end > first && !blockOf.has(key(text, end))) blockOf.set(key(text, end), table[end / size - 1]);
      }
    }

    const calls = {
      add(name, text) {
        unused(name);
        if (!text.length) throw { refused: "empty", name };
        const hits = [];
        for (let end = size; end < text.length && blockOf.has(key(text, end)); end += size) hits.push(blockOf.get(key(text, end)));
        const need = Math.ceil(text.length / size) - hits.length;
        const left = free.length - hits.filter((block) => counts[block] === 0).length;
        if (need > left) throw { refused: "full", need, left };
        hits.forEach(share); // before new ones are taken: a hit may be the next free block
        const table = [...hits];
        for (let i = 0; i < need; i++) table.push(take());
        tables[name] = table;
        tokens[name] = [...text];
        write(name, hits.length * size);
        events.push({ kind: "added", name, cached: hits.length * size, count: text.length, hits, taken: table.slice(hits.length) });
        return hits.length * size;
      },
      append(name, token) {
        known(name);
        const text = tokens[name], table = tables[name], last = table[table.length - 1];
        let moved = null;
        if (text.length === table.length * size) {
          table.push(take());
          events.push({ kind: "grown", name, block: table[table.length - 1] });
        } else if (counts[last] > 1) { // copy on write
          const copy = take();
          drop(last);
          slots[copy] = [...slots[last]];
          table[table.length - 1] = copy;
          moved = [last, copy];
          events.push({ kind: "copied", name, from: last, block: copy });
        } else {
          events.push({ kind: "written", name, block: last });
        }
        text.push(token);
        write(name, text.length - 1);
        return moved;
      },
      fork(name, other) {
        known(name);
        unused(other);
        tables[name].forEach(share);
        tables[other] = [...tables[name]];
        tokens[other] = [...tokens[name]];
        events.push({ kind: "forked", name, other, count: tables[name].length });
        return null;
      },
      free(name) { // the last block first, so that the end of a prefix is evicted before its beginning
        known(name);
        const before = free.length;
        for (const block of [...tables[name]].reverse()) drop(block);
        delete tables[name];
        delete tokens[name];
        events.push({ kind: "freed", name, back: free.slice(before) });
        return null;
      },
    };
    return (call) => {
      let value = null, refused = null;
      events = [];
      if (call) {
        try { value = calls[call[0]](...call.slice(1)); } catch (error) { if (!error.refused) throw error; refused = error; }
      }
      return JSON.parse(JSON.stringify({ call, value, refused, events, tables, tokens, free, counts, slots,
        cached: [...blockOf.values()].sort((a, b) => a - b) }));
    };
  }

  /* The states before the first and after each call. setting: {blocks, size, caching}. A call: [method, ...arguments]. */
  function compute(setting, calls) {
    const step = pool(setting);
    return [null, ...calls].map((call) => step(call));
  }

  const OWN = { blocks: 8, size: 2, caching: true, states: [] }, MOST = 40; // MOST: the last stop of the slider

  /* What the last call did, in sentences. */
  function words(state, blocks) {
    const { _ } = llmlab, { refused } = state;
    const list = (e) => ({ ...e, hits: e.hits.join(", "), taken: e.taken.join(", ") });
    const told = {
      added: (e) => (e.cached // a token is always left to compute, so something is taken
        ? _("{name} comes with a text of length {count}. {cached} tokens are there already (blocks {hits}); for the rest it takes {taken}.",
          list(e))
        : _("{name} comes with a text of length {count}. Nothing is there yet: it takes {taken} from the front of the free list.",
          list(e))),
      grown: (e) => _("The last block of {name} is full, so it takes block {block}.", e),
      copied: (e) => _("Block {from} has another user, so {name} copies it to block {block} and writes there.", e),
      written: (e) => _("{name} writes into its last block, {block}, which nobody else uses.", e),
      forked: (e) => _("{other} shares all blocks of {name}. None is copied, none is taken.", e),
      freed: (e) => (e.back.length
        ? _("{name} is finished. To the end of the free list go, in this order: {back}.", { ...e, back: e.back.join(", ") })
        : _("{name} is finished. All its blocks have other users, so none becomes free.", e)),
      evicted: (e) => _("Block {block} is evicted: what it held can no longer be found.", e),
      revived: (e) => _("Block {block} was free and still held its text: it leaves the free list.", e),
    };
    const why = {
      full: () => _("blocks needed: {need}, free: {left}.", refused),
      known: () => _("there is a sequence {name} already.", refused),
      unknown: () => _("there is no sequence {name}.", refused),
      empty: () => _("a sequence needs a token.", refused),
    };
    const used = state.counts.filter((count) => count).length, sum = _("{used} of {blocks} blocks are in use.", { used, blocks });
    if (!state.call) return `${_("Before the first call.")} ${sum}`;
    if (refused) return `${_("Refused, and nothing was changed:")} ${why[refused.refused]()} ${sum}`;
    const last = state.events.length - 1; // the call itself comes last; what it brought about, before
    const order = [state.events[last], ...state.events.slice(0, last)];
    return [...order.map((e) => told[e.kind](e)), sum].join(" ");
  }

  const quoted = (value) => (Array.isArray(value) ? `[${value.join(", ")}]` : typeof value === "string" ? `"${value}"` : value);
  const shown = ([method, ...args]) => `${method}(${args.map(quoted).join(", ")})`;

  function mount(stage, fig) {
    const { _, h } = llmlab, { data, box } = fig;
    let mine = null; // the reader's own calls: {story, calls}, in place of the recorded ones
    let now = null; // what is drawn: {calls, at, state}

    const forget = () => { mine = null; fig.limit("step", MOST); };
    fig.reset = forget;
    document.addEventListener("click", (event) => { // a button in the prose shows the recorded story; this comes before it acts
      if (event.target.closest("[data-set]")?.dataset.fig === box.id) forget();
    });
    box.querySelector("[name=story]").addEventListener("change", () => { forget(); fig.set({ step: 1 }); });

    const go = (by) => fig.set({ step: now.at + by });
    const back = h("button", { type: "button", onclick: () => go(-1) }, _("Back"));
    const next = h("button", { type: "button", onclick: () => go(1) }, _("Next"));
    const call = h("code", {}), name = h("select", { "aria-label": _("sequence") });
    const text = h("input", { type: "text", value: "11 12 13", size: 14, "aria-label": _("token numbers of the new sequence") });
    const button = (label, act) => h("button", { type: "button", onclick: act }, label);
    const newName = () => "abcdefghijklmnopqrstuvwxyz".split("").find((one) => !(one in now.state.tables));
    const act = (...made) => {
      mine = { story: fig.state().story, calls: [...now.calls.slice(0, now.at), made] };
      fig.limit("step", MOST);
      fig.set({ step: mine.calls.length });
      const added = made[0] === "fork" ? made[2] : made[1];
      if (added in now.state.tables) name.value = added;
    };
    const fresh = () => 1 + Math.max(10, ...Object.values(now.state.tokens).flat());
    const needing = [button(_("append a token"), () => act("append", name.value, fresh())),
      button(_("fork"), () => act("fork", name.value, newName())), button(_("free"), () => act("free", name.value))];
    const adding = button(_("add"), () => act("add", newName(), (text.value.match(/\d+/g) || []).map((one) => +one % 100).slice(0, 40)));
    const panel = h("div", { class: "view" });
    stage.append(h("div", { class: "tools" }, back, next, call), panel,
      h("fieldset", {}, h("legend", {}, _("Go on with calls of your own")),
        h("div", { class: "tools" }, h("span", {}, _("Sequence")), name, needing),
        h("div", { class: "tools" }, h("span", {}, _("New sequence with the tokens")), text, adding)));

    const who = (one) => h("b", { class: `who who-${one.charCodeAt(0) % 8}` }, one);
    const change = (state, before, block) => {
      const [was, is] = [before.counts[block], state.counts[block]];
      if (state.events.some((e) => e.kind === "revived" && e.block === block)) return _("found again");
      if (state.events.some((e) => e.kind === "copied" && e.block === block)) return _("copy");
      if (!was && is) return _("taken");
      if (is > was) return _("shared");
      if (was && !is) return _("given back");
      if (is < was) return _("one user less");
      return String(state.slots[block]) === String(before.slots[block]) ? "" : _("written");
    };
    const card = (state, before, block) => {
      const users = Object.keys(state.tables).filter((one) => state.tables[one].includes(block)), place = state.free.indexOf(block);
      const happened = change(state, before, block), count = state.counts[block];
      return h("li", { class: `block${count ? "" : " idle"}${happened ? " changed" : ""}` },
        h("span", { class: "head" }, h("strong", {}, _("block {block}", { block })), h("em", {}, happened)),
        h("span", { class: "slots" }, state.slots[block].map((token) =>
          h("span", { class: token === null ? "slot none" : "slot" }, token ?? "·"))),
        h("span", { class: "foot" }, count ? h("span", {}, count === 1 ? _("1 user") : _("{count} users", { count }), " ", users.map(who))
          : h("span", {}, place ? _("free, place {place}", { place: place + 1 }) : _("free, next")),
          state.cached.includes(block) ? h("span", { class: "cached" }, _("in the cache")) : null));
    };

    return (knobs) => {
      const story = data[knobs.story] || OWN, calls = mine ? mine.calls : story.states.map((state) => state.call);
      const at = Math.min(knobs.step, calls.length), states = compute(story, calls.slice(0, at));
      const state = states[at], before = states[Math.max(0, at - 1)];
      now = { calls, at, state };
      fig.limit("step", calls.length);
      back.disabled = at === 0;
      next.disabled = at === calls.length;
      call.textContent = at ? `${at}. ${shown(calls[at - 1])}` : "";
      const kept = name.value, names = Object.keys(state.tables);
      name.replaceChildren(...names.map((one) => h("option", { value: one }, one)));
      if (names.includes(kept)) name.value = kept;
      const ended = at >= MOST || !newName();
      for (const one of [name, ...needing]) one.disabled = !names.length || (ended && one !== name);
      adding.disabled = ended;
      const chips = (blocks) => blocks.map((block) => h("span", { class: "chip" }, block));
      panel.replaceChildren(
        h("ul", { class: "pool", "aria-label": _("blocks of the pool") }, state.counts.map((_count, block) => card(state, before, block))),
        h("ul", { class: "lists" },
          names.map((one) => h("li", {}, h("span", { class: "what" }, _("table of"), " ", who(one)), chips(state.tables[one]),
            h("small", {}, _("length {count}", { count: state.tokens[one].length })))),
          h("li", {}, h("span", { class: "what" }, _("free list")), state.free.length ? chips(state.free) : h("small", {}, _("empty")),
            state.free.length ? h("small", {}, _("front first")) : null)));
      fig.say(words(state, story.blocks));
      fig.table([_("block"), _("users"), _("tokens"), _("place in the free list"), _("in the cache")], state.counts.map((count, block) =>
        [block, count, state.slots[block].filter((token) => token !== null).join(" "),
          count ? "" : state.free.indexOf(block) + 1, state.cached.includes(block) ? _("yes") : ""]));
    };
  }

  if (typeof module !== "undefined") module.exports = { compute };
  else llmlab.figure("block-stepper", { mount });
})();
