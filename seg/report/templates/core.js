"use strict";
// Helpers of the page's script. Values of users are only ever set as text, never as markup.

const DATA = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const NONE = "–";

/** An element with attributes and children; `onclick` and the like are functions, strings among children are text. */
function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
function shape(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** A number with a fixed number of digits, `–` for none. */
function fixed(value, digits = 4) {
  return value === null || value === undefined ? NONE : value.toFixed(digits).replace("-", "−");
}

/** A number with at most four significant digits: 1.23M, 45.6k, 0.00123. */
function short(value) {
  if (value === null || value === undefined) return NONE;
  for (const [size, suffix] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
    if (Math.abs(value) >= size) return `${Number((value / (suffix === "k" ? 1e3 : size)).toPrecision(3))}${suffix}`;
  }
  return String(Number(value.toPrecision(4)));
}

/** A labelled control: `select` with options [value, text], bound to the view under `key`. */
function choice(label, key, options, fallback, changed) {
  const select = element("select", { "aria-label": label }, ...options.map(([value, text]) => element("option", { value }, text)));
  const shown = () => {
    const value = view.get(key, fallback);
    select.value = options.some(([each]) => each === value) ? value : fallback;
  };
  shown();
  select.addEventListener("change", () => {
    view.set(key, select.value, fallback);
    changed();
  });
  view.follow(() => {
    const before = select.value;
    shown();
    if (select.value !== before) changed();
  });
  const set = (value) => {
    select.value = value;
    view.set(key, value, fallback);
  };
  return { node: element("label", { class: "field" }, element("span", {}, label), select), value: () => select.value, set };
}

/** A labelled checkbox bound to the view under `key`. */
function toggle(label, key, changed) {
  const box = element("input", { type: "checkbox" });
  box.checked = view.get(key, "") === "1";
  box.addEventListener("change", () => {
    view.set(key, box.checked ? "1" : "", "");
    changed();
  });
  view.follow(() => {
    const before = box.checked;
    box.checked = view.get(key, "") === "1";
    if (box.checked !== before) changed();
  });
  return { node: element("label", { class: "check" }, box, element("span", {}, label)), value: () => box.checked };
}

/** The variants of a study from the highest mIoU down, as their places. */
function rankedVariants(study) {
  return study.variants.map((_, i) => i).sort((a, b) => study.scores.miou.value[b] - study.scores.miou.value[a]);
}

/** Fill `holder` with a button per variant that chooses it, and return the chosen names, which the view keeps under `key`. */
function variantButtons(holder, names, key, fallback, redraw, mark = () => null) {
  const chosen = new Set(view.get(key, fallback).split(" ").filter(Boolean));
  holder.replaceChildren(...names.map((name) => {
    const change = () => {
      if (!chosen.delete(name)) chosen.add(name);
      view.set(key, [...chosen].join(" "), fallback);
      redraw();
      holder.children[names.indexOf(name)].focus();
    };
    const pressed = String(chosen.has(name));
    return element("button", { type: "button", class: "chosen", "aria-pressed": pressed, onclick: change }, chosen.has(name) ? mark(name) : null, name);
  }));
  return chosen;
}

/** Copy a text, or select `node` where the clipboard is not available. */
async function copyText(text, button, node) {
  button.dataset.label ??= button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = button.dataset.label), 2000);
  } catch {
    getSelection().selectAllChildren(node);
  }
}

const waiting = new Map();
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) drawNow(entry.target);
}, { rootMargin: "600px 0px" });

/** Call `draw` when `node` comes near the window, or before printing, and again when its width or the view changes. */
function whenVisible(node, draw) {
  waiting.set(node, draw);
  view.follow(() => waiting.has(node) || draw());
  watcher.observe(node);
}

function drawNow(node) {
  const draw = waiting.get(node);
  if (!draw) return;
  waiting.delete(node);
  watcher.unobserve(node);
  try {
    draw();
  } catch (error) {
    console.error(error); // the other plots are still drawn
    return;
  }
  let width = node.clientWidth;
  new ResizeObserver(() => {
    if (Math.abs(node.clientWidth - width) < 2) return;
    width = node.clientWidth;
    draw();
  }).observe(node);
}

addEventListener("beforeprint", () => [...waiting.keys()].forEach(drawNow));

const tooltip = document.getElementById("tooltip");

/** Show lines of text beside a point of the window; the first is the heading. */
function showTooltip(x, y, lines) {
  tooltip.replaceChildren(...lines.map((line, i) => element(i ? "div" : "strong", {}, line)));
  tooltip.hidden = false;
  const { width, height } = tooltip.getBoundingClientRect();
  const left = x + 14 + width > innerWidth ? x - 14 - width : x + 14;
  const top = y + 14 + height > innerHeight ? y - 14 - height : y + 14;
  tooltip.style.left = `${Math.max(4, left)}px`;
  tooltip.style.top = `${Math.max(4, top)}px`;
}

function hideTooltip() {
  tooltip.hidden = true;
}

addEventListener("scroll", hideTooltip, { passive: true });
