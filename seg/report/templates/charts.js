// Axes and pointers that the plots share.

const COLOURS = 8; // of lines, --c0 to --c7 in charts.css
const pen = document.createElement("canvas").getContext("2d");

/** Width of a text in a plot, in pixels. */
function textWidth(text, size = 11) {
  pen.font = `600 ${size}px ${getComputedStyle(document.body).fontFamily}`;
  return pen.measureText(text).width;
}

/** A text, cut with … if it is wider than `room` pixels. */
function fitted(text, room, size = 11) {
  let shown = text;
  for (let end = text.length - 1; end > 0 && textWidth(shown, size) > room; end--) shown = `${text.slice(0, end)}…`;
  return shown;
}

/** About `count` round values that cover an extent. */
function ticks(low, high, count = 5) {
  const raw = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * power).find((each) => each >= raw * 0.999);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
}

/** Powers of ten, and 2 and 5 times them if there are few. */
function logTicks(low, high) {
  const first = Math.floor(Math.log10(low));
  const last = Math.ceil(Math.log10(high));
  const steps = last - first > 3 ? [1] : [1, 2, 5];
  const found = [];
  for (let power = first; power <= last; power++) for (const k of steps) found.push(Number((k * 10 ** power).toPrecision(12)));
  return found.filter((value) => value >= low * 0.999 && value <= high * 1.001);
}

/** Map of a domain onto pixels. */
function scale([low, high], [from, to], log = false) {
  const [a, b] = log ? [Math.log10(low), Math.log10(high)] : [low, high];
  const place = (value) => from + (((log ? Math.log10(value) : value) - a) / (b - a || 1)) * (to - from);
  return Object.assign(place, { low, high, log });
}

/** Domain with a margin around values; from zero if `zero`. */
function domain(values, { log = false, zero = false, margin = 0.06 } = {}) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value === null || value === undefined || (log && value <= 0)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return log ? [0.1, 1] : [0, 1];
  if (log) {
    const room = Math.max((high / low) ** margin, 1.1);
    return [low / room, high * room];
  }
  const room = (high - low || Math.abs(high) || 1) * margin;
  return [zero ? Math.min(0, low) : low - room, high + room];
}

/** An empty plot with axes. Returns its `svg`, the scales and the group `marks` to draw into. */
function plot({ width, height, x, y, label, left = 46, bottom = 36 }) {
  const area = { left, right: width - 12, top: y.title ? 24 : 10, bottom: height - bottom };
  const across = scale(x.domain, [area.left, area.right], x.log);
  const up = scale(y.domain, [area.bottom, area.top], y.log);
  const svg = shape("svg", { class: "plot", width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": label });
  const grid = shape("g", { class: "grid", "aria-hidden": "true" });
  const room = x.log ? 44 : 40;
  let edge = -Infinity;
  for (const value of x.ticks ?? (x.log ? logTicks(...x.domain) : ticks(...x.domain, Math.max(2, width / 90)))) {
    const at = across(value);
    grid.append(shape("path", { d: `M${at} ${area.bottom}v4` }));
    if (at - edge < room) continue;
    edge = at;
    grid.append(shape("text", { x: at, y: area.bottom + 16, "text-anchor": "middle" }, (x.format ?? short)(value)));
  }
  const rows = y.log ? logTicks(...y.domain) : ticks(...y.domain, Math.max(2, height / 50));
  for (const value of rows) {
    const at = up(value);
    grid.append(shape("path", { class: "rule", d: `M${area.left} ${at}H${area.right}` }));
    grid.append(shape("text", { x: area.left - 7, y: at + 4, "text-anchor": "end" }, (y.format ?? short)(value)));
  }
  grid.append(shape("text", { x: area.right, y: height - 3, "text-anchor": "end" }, x.title));
  if (y.title) grid.append(shape("text", { x: 0, y: 11 }, y.title));
  const marks = shape("g", { class: "marks", "aria-hidden": "true" });
  svg.append(grid, marks);
  return { svg, marks, x: across, y: up, area };
}

/** A path through points, with gaps where a value is missing. */
function line(points) {
  let pen = "M";
  let path = "";
  for (const [x, y] of points) {
    if (y === null || y === undefined || Number.isNaN(y)) continue;
    path += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = "L";
  }
  return path;
}

/**
 * Read values of a plot with the pointer and with the arrow keys.
 *
 * `nearest(x, y)` gives a place among `count` from pixels, `show(i)` draws it and returns a point in pixels and lines
 * of text, `select(i)` is called on a click and on Enter, `clear()` when the plot is left.
 */
function readable(svg, { count, nearest, show, select = () => {}, clear = () => {} }) {
  let current = -1;
  svg.setAttribute("tabindex", "0");
  const at = (i) => {
    current = i;
    const { x, y, lines } = show(i);
    const box = svg.getBoundingClientRect();
    const zoom = box.width / svg.viewBox.baseVal.width;
    showTooltip(box.left + x * zoom, box.top + y * zoom, lines);
  };
  const leave = () => {
    current = -1;
    clear();
    hideTooltip();
  };
  const place = (event) => {
    const box = svg.getBoundingClientRect();
    const zoom = box.width / svg.viewBox.baseVal.width;
    return nearest((event.clientX - box.left) / zoom, (event.clientY - box.top) / zoom);
  };
  svg.addEventListener("pointermove", (event) => {
    const i = place(event);
    if (i >= 0) at(i);
    else leave();
  });
  svg.addEventListener("pointerleave", leave);
  svg.addEventListener("click", (event) => {
    const i = place(event);
    if (i >= 0) select(i);
  });
  svg.addEventListener("blur", leave);
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (step) {
      event.preventDefault();
      at(current < 0 ? (step > 0 ? 0 : count - 1) : (current + step + count) % count);
    } else if (event.key === "Enter" && current >= 0) {
      event.preventDefault(); // otherwise the same key presses the button of the dialog that opens
      select(current);
    }
    if (event.key === "Escape") leave();
  });
}
