// Training curves of a study: one small plot per variant, or chosen variants in one.

const QUANTITIES = {
  loss: { title: "loss", columns: ["train_loss", "val_loss"] },
  val_miou: { title: "validation mIoU", columns: ["val_miou"] },
  val_pixel_accuracy: { title: "validation pixel accuracy", columns: ["val_pixel_accuracy"] },
  lr: { title: "learning rate", columns: ["lr"] },
};
const COLUMN_TITLES = { train_loss: "training", val_loss: "validation", val_miou: "mIoU", val_pixel_accuracy: "accuracy", lr: "learning rate" };
const FIRST_PANELS = 24; // of a study with many variants; the others on demand

function curveTools(section, study) {
  const place = section.querySelector('[data-tools="curves"]');
  place.hidden = false;
  const key = (name) => `${study.name}.${name}`;
  const holder = element("div", {});
  const choices = element("div", { class: "choices", role: "group", "aria-label": "Variants in the plot" });
  const draw = () => {
    const options = { quantity: quantity.value(), log: log.value() };
    const all = view.get(key("all"), "") === "1";
    const width = holder.clientWidth;
    if (layout.value() === "overlay") holder.replaceChildren(...drawOverlay(study, options, width, choices, key("lines"), draw));
    else holder.replaceChildren(...drawPanels(study, options, width, all, () => (view.set(key("all"), "1", ""), draw())));
  };
  const quantity = choice("Show", key("curve"), Object.entries(QUANTITIES).map(([name, { title }]) => [name, title]), "loss", draw);
  const layout = choice("as", key("layout"), [["panels", "one plot per variant"], ["overlay", "variants in one plot"]], "panels", draw);
  const log = toggle("logarithmic", key("log"), draw);
  place.append(
    element("div", { class: "toolbar" }, quantity.node, layout.node, log.node),
    holder,
    element("p", { class: "caption" }, "One line per training; a ring marks the scored epoch, whose weights are evaluated. Plots of the same loss function share their range: different losses are not comparable."),
  );
  whenVisible(place, draw);
}

function curveDomain(study, variants, columns, log) {
  const values = variants.flatMap((i) => study.histories[i].flatMap((run) => columns.flatMap((name) => run[name])));
  return domain(values, { log, zero: columns[0] !== "val_miou" && columns[0] !== "val_pixel_accuracy" });
}

function drawPanels(study, { quantity, log }, room, all, showAll) {
  const { title, columns } = QUANTITIES[quantity];
  const across = Math.max(1, Math.floor((room + 16) / 276));
  const width = Math.floor((room - 16 * (across - 1)) / across);
  const shown = study.variants.map((_, i) => i).slice(0, all ? undefined : FIRST_PANELS);
  const alike = (i) => study.variants.map((_, k) => k).filter((k) => quantity !== "loss" || study.losses[k] === study.losses[i]);
  const domains = new Map();
  const figures = shown.map((i) => {
    const group = quantity === "loss" ? study.losses[i] : "";
    if (!domains.has(group)) domains.set(group, curveDomain(study, alike(i), columns, log));
    const name = quantity === "loss" ? `loss (${study.losses[i].replaceAll("_", " ")})` : title;
    const { svg, entries } = curvePlot(study, [i], columns, { width, height: 180, up: domains.get(group), log, name });
    svg.setAttribute("aria-label", `${title} of ${study.variants[i]}; arrow keys read the epochs`);
    readEpochs(svg, entries);
    const figure = element("figure", {}, element("figcaption", {}, element("b", {}, study.variants[i]), element("small", {}, name)), svg);
    figure.style.width = `${width}px`;
    return figure;
  });
  const legend = columns.length < 2 ? [] : [element("p", { class: "legend" }, ...columns.map((name, k) => element("span", {}, lineKey(`c${k}`), COLUMN_TITLES[name])))];
  const rest = study.variants.length - shown.length;
  const more = rest > 0 ? [element("button", { type: "button", class: "plain-button", onclick: showAll }, `Show ${rest} more`)] : [];
  return [...legend, element("div", { class: "panels" }, ...figures), ...more];
}

function lineKey(style) {
  return shape("svg", { class: "line-key", viewBox: "0 0 18 8", "aria-hidden": "true" }, shape("path", { class: `line ${style}`, d: "M0 4H18" }));
}

/** A plot of columns of the histories; a line has the colour of its column, or the style of its variant if there are `styles`. */
function curvePlot(study, variants, columns, { width, height, up, log, name, styles = null }) {
  const last = Math.max(...variants.flatMap((i) => study.histories[i].flatMap((run) => run.epoch)), 2);
  const whole = ticks(1, last, Math.max(2, width / 70)).filter(Number.isInteger);
  const axes = plot({
    width, height, label: name, left: 50, bottom: 30,
    x: { domain: [1, last], ticks: whole, title: "epoch" },
    y: { domain: up, log, title: styles && name },
  });
  const entries = [];
  for (const i of variants) {
    for (const run of study.histories[i]) {
      columns.forEach((column, k) => {
        const style = styles ? styles.get(i) : `c${k}`;
        const points = run.epoch.map((epoch, e) => [axes.x(epoch), run[column][e] === null || (log && run[column][e] <= 0) ? null : axes.y(run[column][e])]);
        const known = points.filter(([, y]) => y !== null);
        axes.marks.append(shape("path", { class: `line ${style}${styles && k ? " dashed" : ""}`, d: line(points) }));
        if (known.length === 1) axes.marks.append(shape("circle", { class: `end ${style}`, cx: known[0][0], cy: known[0][1], r: 2.5 }));
        const scored = run.epoch.indexOf(run.scored);
        if (scored >= 0 && points[scored][1] !== null && column !== "train_loss" && column !== "lr") {
          axes.marks.append(shape("circle", { class: `scored ${style}`, cx: points[scored][0], cy: points[scored][1], r: 4.5 }));
        }
        entries.push({ axes, run, points, column, variant: study.variants[i], several: variants.length > 1, seeds: study.histories[i].length > 1 });
      });
    }
  }
  return { svg: axes.svg, entries };
}

function readEpochs(svg, entries) {
  if (!entries.length) return;
  const { axes } = entries[0];
  const epochs = [...new Set(entries.flatMap(({ run }) => run.epoch))].sort((a, b) => a - b);
  const cross = shape("path", { class: "cross", visibility: "hidden" });
  axes.marks.append(cross);
  readable(svg, {
    count: epochs.length,
    nearest(x) {
      const distances = epochs.map((epoch) => Math.abs(axes.x(epoch) - x));
      return distances.indexOf(Math.min(...distances));
    },
    show(k) {
      const at = axes.x(epochs[k]);
      filled(cross, { d: `M${at} ${axes.area.top}V${axes.area.bottom}`, visibility: "visible" }, []);
      const lines = entries.flatMap(({ run, column, variant, several, seeds }) => {
        const value = run[column][run.epoch.indexOf(epochs[k])];
        if (value === null || value === undefined) return [];
        const name = [several ? variant : "", COLUMN_TITLES[column], seeds ? `seed ${run.run}` : ""].filter(Boolean).join(", ");
        return [`${name}: ${short(value)}${run.scored === epochs[k] && column !== "train_loss" ? " (scored)" : ""}`];
      });
      return { x: at, y: axes.area.top, lines: [`Epoch ${epochs[k]}`, ...cutOff(lines, 16)] };
    },
    clear: () => cross.setAttribute("visibility", "hidden"),
  });
}

/** The first lines, and how many others there are. */
function cutOff(lines, most) {
  return lines.length > most ? [...lines.slice(0, most), `and ${lines.length - most} more`] : lines;
}

/** Chosen variants in one plot; buttons choose them. The view keeps their names. */
function drawOverlay(study, { quantity, log }, width, choices, key, redraw) {
  const { title, columns } = QUANTITIES[quantity];
  const ranked = rankedVariants(study);
  const names = ranked.map((i) => study.variants[i]);
  const styles = new Map(ranked.map((i, k) => [i, `c${k % COLOURS}${k >= COLOURS ? " again" : ""}`])); // the same whatever is chosen
  const chosen = variantButtons(choices, names, key, names.slice(0, 5).join(" "), redraw, (name) => lineKey(styles.get(study.variants.indexOf(name))));
  const variants = ranked.filter((i) => chosen.has(study.variants[i]));
  const up = curveDomain(study, variants.length ? variants : ranked, columns, log);
  const { svg, entries } = curvePlot(study, variants, columns, { width, height: 380, up, log, name: title, styles });
  svg.setAttribute("aria-label", `${title} of ${variants.map((i) => study.variants[i]).join(", ")}; arrow keys read the epochs`);
  readEpochs(svg, entries);
  const dashes = columns.length > 1 ? [element("p", { class: "caption" }, "Solid: training. Dashed: validation.")] : [];
  return [choices, svg, ...dashes];
}
