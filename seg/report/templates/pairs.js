// Matrix of all pairs of a study's variants, from the best down.

const LABEL = 11.5; // size of the labels in pixels, as in charts.css
const VERDICT_TEXTS = { 1: "better", "-1": "worse", 2: "equivalent", 0: "undecided" };

function pairMatrix(section, study, index) {
  const place = section.querySelector('[data-tools="pairs"]');
  if (!place || !study.pairs.length) return;
  place.hidden = false;
  const count = study.variants.length;
  const cells = new Map();
  for (const [a, b, difference, low, high, verdict, same] of study.pairs) {
    const mirrored = verdict === null || verdict === 0 || verdict === 2 ? verdict : -verdict;
    cells.set(a * count + b, { difference, low, high, verdict, same });
    cells.set(b * count + a, { difference: -difference, low: -high, high: -low, verdict: mirrored, same });
  }
  const below = (i) => (i === 0 ? 0 : cells.get(i).difference); // first variant minus this one
  const ranked = study.variants.map((_, i) => i).sort((a, b) => below(a) - below(b));
  const holder = element("div", { class: "scroll matrix" });
  const draw = () => holder.replaceChildren(drawMatrix(study, index, ranked, cells, place.clientWidth - 24));
  const kinds = ["better", "worse", "equivalent", "undecided"].map((kind) => element("span", {}, legendKey(`pair ${kind}`), kind));
  const ranks = study.pairs[0][5] !== null; // unequal budgets rank no variant
  const meaning = "mIoU of the row minus mIoU of the column, from the highest mIoU down. The stronger the colour, the larger the difference.";
  place.append(
    ...(ranks ? [element("p", { class: "legend" }, element("span", {}, "The row is"), ...kinds)] : []),
    holder,
    element("p", { class: "caption" }, ranks ? `${meaning} Verdicts hold for all pairs at once; undecided does not mean equal.` : meaning),
  );
  whenVisible(place, draw);
}

function legendKey(kind) {
  return shape("svg", { class: "chip", viewBox: "0 0 10 10", "aria-hidden": "true" }, shape("rect", { class: kind, width: 10, height: 10 }));
}

function drawMatrix(study, index, ranked, cells, room) {
  const count = ranked.length;
  const named = count <= 40;
  const longest = Math.max(...study.variants.map((name) => textWidth(name, LABEL)));
  const left = named ? Math.min(longest + 14, room * 0.42) : 0;
  const slanted = Math.min(longest, 180); // length of the labels above the columns, turned by 40 degrees
  const beyond = named ? 0.77 * slanted : 0; // how far the last of them extends to the right
  const size = Math.max(named ? 18 : 1, Math.min(58, (room - left - beyond) / count));
  const high = named ? Math.max(15, Math.min(30, size)) : size;
  const top = named ? 0.65 * slanted + 18 : 0;
  const width = Math.ceil(left + size * count + beyond);
  const height = Math.ceil(top + high * count);
  const svg = shape("svg", {
    class: "plot", width, height, viewBox: `0 0 ${width} ${height}`, role: "group",
    "aria-label": `Differences in mIoU between all pairs of variants of ${study.title}; arrow keys read them`,
  });
  const largest = Math.max(...study.pairs.map((pair) => Math.abs(pair[2]))) || 1;
  const paths = new Map();
  const texts = shape("g", { class: "cell-text", "aria-hidden": "true" });
  const gap = size > 8 ? 1 : 0;
  ranked.forEach((row, r) => {
    ranked.forEach((column, c) => {
      if (row === column) return;
      const { difference, verdict } = cells.get(row * count + column);
      const level = Math.ceil((4 * Math.abs(difference)) / largest) || 1;
      const kind = `pair ${VERDICT_TEXTS[verdict] ?? "unranked"}${verdict === null || Math.abs(verdict) === 1 ? ` level${level}` : ""}`;
      const inset = verdict === 2 && gap ? 1 : 0; // for the outline of equivalent pairs
      const [across, down] = [size - gap - 2 * inset, high - gap - 2 * inset].map((each) => each.toFixed(2));
      const path = `M${(left + c * size + inset).toFixed(2)} ${(top + r * high + inset).toFixed(2)}h${across}v${down}h-${across}z`;
      if (!paths.has(kind)) paths.set(kind, []);
      paths.get(kind).push(path);
      if (size >= 40) texts.append(shape("text", { x: left + (c + 0.5) * size, y: top + (r + 0.5) * high + 4 }, fixed(difference, 3).replace("0.", ".")));
    });
  });
  for (const [kind, parts] of paths) svg.append(shape("path", { class: kind, d: parts.join("") }));
  svg.append(texts);
  if (named) {
    ranked.forEach((variant, r) => {
      const name = study.variants[variant];
      svg.append(shape("text", { class: "label", x: left - 7, y: top + (r + 0.5) * high + 4, "text-anchor": "end" }, fitted(name, left - 7, LABEL)));
      const at = `translate(${left + (r + 0.5) * size - 3} ${top - 6}) rotate(-40)`;
      svg.append(shape("text", { class: "label", transform: at }, fitted(name, slanted, LABEL)));
    });
  }
  const ring = shape("rect", { class: "ring", visibility: "hidden", width: size, height: high });
  svg.append(ring);
  readable(svg, {
    count: count * count,
    nearest(x, y) {
      const [c, r] = [Math.floor((x - left) / size), Math.floor((y - top) / high)];
      return c < 0 || r < 0 || c >= count || r >= count ? -1 : r * count + c;
    },
    show(k) {
      const [r, c] = [Math.floor(k / count), k % count];
      const [row, column] = [ranked[r], ranked[c]];
      filled(ring, { x: left + c * size, y: top + r * high, visibility: "visible" }, []);
      return { x: left + (c + 0.5) * size, y: top + (r + 0.5) * high, lines: pairLines(study, row, column, cells.get(row * count + column)) };
    },
    select: (k) => openProvenance(index, ranked[Math.floor(k / count)], "miou", svg),
    clear: () => ring.setAttribute("visibility", "hidden"),
  });
  return svg;
}

function pairLines(study, row, column, pair) {
  if (!pair) return [study.variants[row], `mIoU ${fixed(study.scores.miou.value[row])}`];
  const { difference, low, high, verdict, same } = pair;
  return [
    `${study.variants[row]} − ${study.variants[column]}`,
    `mIoU ${difference > 0 ? "+" : ""}${fixed(difference)}, 95% interval ${fixed(low)} to ${fixed(high)}`,
    ...(verdict === null ? [] : [VERDICT_TEXTS[verdict]]),
    ...(same ? [] : ["The means are over different classes."]),
  ];
}
