// Classes of a study: the heat map, and the confusion matrix of a chosen variant.

const MOST_NUMBERED = 30; // classes; cells of larger matrices have no room for a number

function classTools(section, study, index) {
  const table = section.querySelector("table.heat");
  const tools = section.querySelector('[data-tools="classes"]');
  let sort = () => {};
  const fill = () => {
    fillHeatMap(table, study, study[score.value()]);
    sort();
  };
  const score = choice("Score", `${study.name}.classscore`, [["iou", "IoU"], ["boundary_iou", "boundary IoU"]], "iou", fill);
  tools.append(score.node, filterField(table, `${study.name}.classfilter`), element("span", {}, "Select a score to see how it came about."));
  cellGrid(table, (cell) => openProvenance(index, Number(cell.parentNode.dataset.variant), `${score.value()}[${study.classes[cell.cellIndex - 1]}]`, cell));
  if (score.value() !== "iou") fill(); // the table of the page has the IoU
  sort = sortable(table, `${study.name}.classsort`);
  confusionTools(section, study);
}

/** Scores by variant and class in the cells, the best of each class bold if the variants can be ranked. */
function fillHeatMap(table, study, scores) {
  const ranked = study.verdicts.some(Boolean);
  const best = study.classes.map((_, j) => {
    const known = scores.map((line) => line[j]).filter((value) => value !== null);
    return ranked && known.length > 1 && Math.max(...known) > 0 ? Math.max(...known) : null;
  });
  for (const row of table.tBodies[0].rows) {
    scores[row.dataset.variant].forEach((value, j) => {
      const cell = row.cells[j + 1];
      cell.textContent = value === null ? "absent" : value.toFixed(3);
      cell.className = `n ${value === null ? "absent" : `h${Math.round(20 * value)}`}${value !== null && value === best[j] ? " best" : ""}`;
    });
  }
}

function confusionTools(section, study) {
  const place = section.querySelector('[data-tools="confusion"]');
  place.hidden = false;
  const key = (name) => `${study.name}.${name}`;
  const holder = element("div", { class: "confusion" });
  const draw = () => holder.replaceChildren(...drawConfusion(study, study.variants.indexOf(variant.value()), norm.value() === "truth"));
  const names = study.variants.map((name) => [name, name]);
  const variant = choice("Variant", key("confused"), names, study.variants[study.best ?? 0], draw);
  const norms = [["truth", "pixels of the true class"], ["prediction", "pixels of the predicted class"]];
  const norm = choice("Shares of the", key("norm"), norms, "truth", draw);
  place.append(element("h4", {}, "Confusion matrix"), element("div", { class: "toolbar" }, variant.node, norm.node), holder);
  if (study.runs[0].length > 1) place.append(element("p", { class: "caption" }, "Pixels are summed over all seeds and folds."));
  whenVisible(place, draw);
}

function drawConfusion(study, variant, byTruth) {
  const { classes, colours } = study;
  const count = classes.length;
  const pixels = study.confusion[variant];
  const rows = classes.map((_, i) => pixels.slice(i * count, (i + 1) * count));
  const sums = classes.map((_, i) => (byTruth ? rows[i] : rows.map((row) => row[i])).reduce((a, b) => a + b, 0));
  const share = (i, j) => (sums[byTruth ? i : j] ? rows[i][j] / sums[byTruth ? i : j] : null);
  const head = element("tr", {}, element("th", { scope: "col" }, "truth ↓ predicted →"), ...classes.map((name, i) => element("th", { scope: "col", class: "n" }, element("span", { title: name }, chip(colours[i]), name))));
  const body = classes.map((name, i) => {
    const cells = classes.map((other, j) => {
      const value = share(i, j);
      const text = value === null || value < 0.0005 || count > MOST_NUMBERED ? "" : (100 * value).toFixed(value < 0.0995 ? 1 : 0);
      const told = `\u2068${name}\u2069 predicted as \u2068${other}\u2069: ${short(rows[i][j])} pixels${value === null ? "" : `, ${(100 * value).toFixed(2)}%`}`;
      return element("td", { class: `n h${Math.round(20 * (value ?? 0))}${i === j ? " diagonal" : ""}`, "data-text": told }, text);
    });
    return element("tr", {}, element("th", { scope: "row" }, chip(colours[i]), name), ...cells);
  });
  const table = element("table", { class: "heat confusion-matrix" }, element("thead", {}, head), element("tbody", {}, ...body));
  const read = ({ target, clientX, clientY }) => (target.dataset.text ? showTooltip(clientX, clientY, [target.dataset.text]) : hideTooltip());
  for (const event of ["pointermove", "click"]) table.addEventListener(event, read);
  table.addEventListener("pointerleave", hideTooltip);
  const label = `Confusion matrix of ${study.name} ${study.variants[variant]}, in percent`;
  const errors = [];
  rows.forEach((row, i) => row.forEach((found, j) => i !== j && found && errors.push([share(i, j), found, i, j])));
  errors.sort((a, b) => b[0] - a[0] || b[1] - a[1]);
  const of = byTruth ? (i) => classes[i] : (_, j) => classes[j];
  const bold = (k) => element("b", {}, element("bdi", {}, classes[k]));
  const list = errors.slice(0, 10).map(([value, found, i, j]) => {
    const amount = element("small", {}, `${(100 * value).toFixed(1)}% of `, element("bdi", {}, of(i, j)), `, ${short(found)} pixels`);
    return element("li", {}, bold(i), " predicted as ", bold(j), amount);
  });
  return [
    element("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": label }, table),
    element("div", { class: "confusions" }, element("h5", {}, "Largest confusions"), element("ol", {}, ...list)),
  ];
}

function chip(colour) {
  if (!colour) return null;
  return shape("svg", { class: "chip", viewBox: "0 0 1 1", "aria-hidden": "true" }, shape("rect", { width: 1, height: 1, fill: colour }));
}
