/* Chinese queries for Sphinx's search. jieba cut the pages into words when the book was built; a query has no spaces
   either, so it is cut here, by longest match against the words that the index has. Loaded on the search page of a
   Chinese edition, before Sphinx's searchtools.js, which takes a `splitQuery` that is there already. Everything else
   about the search is Sphinx's. */
var splitQuery = (function () {
  "use strict";
  const RUNS = /\p{Script=Han}+|(?:(?!\p{Script=Han})[\p{Letter}\p{Number}_])+/gu;
  const HAN = /\p{Script=Han}/u;

  // "温度采样" -> ["温度", "采样"] if the index has these words; characters that begin no word of it are left out.
  function cut(run, known) {
    const words = [];
    for (let at = 0; at < run.length; ) {
      let end = run.length;
      while (end > at + 1 && !known(run.slice(at, end))) end--;
      if (known(run.slice(at, end))) words.push(run.slice(at, end));
      at = end;
    }
    return words.length ? words : [run];
  }

  function split(query) {
    const { terms = {}, titleterms = {} } = Search._index || {};
    const known = (word) => Object.hasOwn(terms, word) || Object.hasOwn(titleterms, word);
    return (query.match(RUNS) || []).flatMap((run) => (HAN.test(run) ? cut(run, known) : [run]));
  }

  if (typeof module !== "undefined") module.exports = { cut };
  return split;
})();
