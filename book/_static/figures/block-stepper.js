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
        if (!blockOf.has(key(text, end))) blockOf.set(key(text, end), table[end / size - 1]);
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

  if (typeof module !== "undefined") module.exports = { compute };
})();
