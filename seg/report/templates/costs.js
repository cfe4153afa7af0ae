// Overview: accuracy against cost, one panel per study.

function costPlots() {
  const block = document.getElementById("costs");
  block.hidden = false;
  const panels = block.querySelector(".panels");
  const draw = () => panels.replaceChildren(...DATA.studies.map((study, i) => costPanel(study, i, cost.value(), panels.clientWidth)));
  const cost = choice("Cost", "cost", Object.entries(DATA.costs), "parameters", draw);
  block.querySelector(".toolbar").append(cost.node);
  whenVisible(panels, draw);
}

function costPanel(study, index, cost, room) {
  const columns = Math.max(1, Math.min(DATA.studies.length, Math.floor(room / 330)));
  const width = Math.floor((room - 24 * (columns - 1)) / columns);
  const { value: scores, low, high, published } = study.scores.miou;
  const costs = study.costs[cost];
  const known = costs.filter((each) => each > 0);
  const log = Math.max(...known) > 8 * Math.min(...known);
  const bestPublished = Math.max(...published.filter((each) => each !== null && each <= 1));
  const many = study.variants.length > 40;
  const heights = [...scores, ...(many ? [] : [...low, ...high]), Number.isFinite(bestPublished) ? bestPublished : null];
  const front = [...study.fronts[cost]].sort((a, b) => costs[a] - costs[b]);
  const { svg, marks, x, y, area } = plot({
    width,
    height: 250,
    x: { domain: domain(costs, { log, margin: 0.1 }), log, title: DATA.costs[cost] },
    y: { domain: domain(heights), title: "mIoU" },
    label: `mIoU against ${DATA.costs[cost].toLowerCase()} of ${study.title}; arrow keys read the variants`,
  });
  if (Number.isFinite(bestPublished)) {
    marks.append(shape("path", { class: `published-line${study.obstacle ? " reference" : ""}`, d: `M${area.left} ${y(bestPublished)}H${area.right}` }));
  }
  const steps = front.map((i, k) => `${k ? `H${x(costs[i])}V` : `M${x(costs[i])} `}${y(scores[i])}`).join("");
  marks.append(shape("path", { class: "front", d: `${steps}H${area.right}` }));
  const places = scores.map((score, i) => (score === null || !(costs[i] > 0) ? null : [x(costs[i]), y(score)]));
  places.forEach((place, i) => {
    if (!place || many || low[i] === null) return;
    marks.append(shape("path", { class: "interval", d: `M${place[0]} ${y(low[i])}V${y(high[i])}` }));
  });
  places.forEach((place, i) => {
    if (!place) return;
    const kind = i === study.best ? " best" : front.includes(i) ? " on-front" : "";
    marks.append(shape("circle", { class: `point${kind}`, cx: place[0], cy: place[1], r: many ? 3 : 4.5 }));
  });
  const taken = Number.isFinite(bestPublished) ? [labelPublished(marks, area, y(bestPublished), fixed(bestPublished))] : [];
  labelPoints(marks, area, study, [study.best, ...front].filter((i) => i !== null && places[i]), places, taken);
  const ring = shape("circle", { class: "ring", r: 8, visibility: "hidden" });
  marks.append(ring);
  const order = places.map((_, i) => i).filter((i) => places[i]).sort((a, b) => places[a][0] - places[b][0]);
  readable(svg, {
    count: order.length,
    nearest(px, py) {
      let found = -1;
      let least = 900;
      order.forEach((i, k) => {
        const distance = (places[i][0] - px) ** 2 + (places[i][1] - py) ** 2;
        if (distance < least) [found, least] = [k, distance];
      });
      return found;
    },
    show(k) {
      const i = order[k];
      const [cx, cy] = places[i];
      filled(ring, { cx, cy, visibility: "visible" }, []);
      const interval = low[i] === null ? "" : `, 95% interval ${fixed(low[i])} to ${fixed(high[i])}`;
      return { x: cx, y: cy, lines: [study.variants[i], `mIoU ${fixed(scores[i])}${interval}`, `${DATA.costs[cost]}: ${short(costs[i])}`] };
    },
    select: (k) => openProvenance(index, order[k], "miou", svg),
    clear: () => ring.setAttribute("visibility", "hidden"),
  });
  const figure = element("figure", {}, element("figcaption", {}, element("b", {}, study.title)), svg);
  figure.style.width = `${width}px`;
  return figure;
}

/** Text at the right end of the published line, above it if there is room. Returns its box. */
function labelPublished(marks, area, at, score) {
  const text = `published ${score}`;
  const width = textWidth(text);
  const bottom = at - 16 > area.top ? at - 5 : at + 14;
  marks.append(shape("text", { class: "published-text", x: area.right, y: bottom, "text-anchor": "end" }, text));
  return { left: area.right - width, top: bottom - 10, width };
}

/** Names of points, where there is room beside those in `taken`: the best variant first. */
function labelPoints(marks, area, study, order, places, taken) {
  for (const i of new Set(order)) {
    const [px, py] = places[i];
    const width = textWidth(study.variants[i]);
    const right = px + 8 + width < area.right;
    const box = { left: right ? px + 8 : px - 8 - width, top: py - 16, width };
    const clear = taken.every((each) => box.left > each.left + each.width || each.left > box.left + box.width || Math.abs(box.top - each.top) > 13);
    if (!clear || box.left < area.left) continue;
    taken.push(box);
    marks.append(shape("text", { class: i === study.best ? "name best" : "name", x: box.left, y: py - 6 }, study.variants[i]));
  }
}
