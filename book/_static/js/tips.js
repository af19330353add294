/* Formulas in tooltips: MathJax can only measure text that is on the page, so they are set when the tip is mounted. */
document.addEventListener("DOMContentLoaded", () => {
  if (typeof tippy === "undefined") return;
  tippy.setDefaultProps({ onMount: (tip) => { window.MathJax?.typesetPromise?.([tip.popper]); } });
});
