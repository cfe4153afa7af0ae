// Pictures of a study: the same images for all variants, errors, a slider between two pictures, and classes highlighted.

const KEPT = 200; // decoded pictures
const decoded = new Map();

/** Pixels of a data URI. */
function pixelsOf(uri) {
  if (decoded.size > KEPT) decoded.delete(decoded.keys().next().value);
  if (!decoded.has(uri)) {
    const image = new Image();
    image.src = uri;
    decoded.set(uri, image.decode().then(() => {
      const canvas = element("canvas", { width: image.naturalWidth, height: image.naturalHeight });
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(image, 0, 0);
      return context.getImageData(0, 0, canvas.width, canvas.height);
    }));
  }
  return decoded.get(uri);
}

/** Data URIs of a study's pictures; those of the gallery, which is there without a script, are read from it. */
function pictureSources(section, study) {
  const { images, predictions } = study.pictures;
  const found = new Map();
  for (const [name, { image, truth }] of Object.entries(images)) {
    if (image) found.set(`image/${name}`, image);
    if (truth) found.set(`truth/${name}`, truth);
  }
  study.variants.forEach((variant, i) => Object.entries(predictions[variant] ?? {}).forEach(([name, uri]) => found.set(`${i}/${name}`, uri)));
  for (const image of section.querySelectorAll(".gallery img")) found.set(`${image.dataset.kind}/${image.dataset.image}`, image.src);
  return (kind, name) => found.get(`${kind}/${name}`);
}

function pictureTools(section, study) {
  const place = section.querySelector('[data-tools="pictures"]');
  if (!place || !study.pictures) return;
  const source = pictureSources(section, study);
  place.hidden = false;
  section.querySelector(".gallery").hidden = true;
  const key = (name) => `${study.name}.${name}`;
  const { sets, images, classes, palette, omitted } = study.pictures;
  const ranked = rankedVariants(study);
  const worst = ranked.filter((i) => sets.worst[study.variants[i]]?.length).map((i) => [`worst ${study.variants[i]}`, `worst of ${study.variants[i]}`]);
  const options = [["samples", "spread over the split"], ...(sets.differ.length ? [["differ", "on which variants differ most"]] : []), ...worst];
  const fallback = ranked.slice(0, 3).map((i) => study.variants[i]).join(" ");
  const grid = element("div", { class: "scroll picture-grid", tabindex: "0", role: "region", "aria-label": `Pictures of ${study.name}` });
  const choices = element("div", { class: "choices", role: "group", "aria-label": "Variants in the pictures" });
  const compare = element("div", { class: "compare" });
  const marked = () => (classes.includes(view.get(key("class"), "")) ? classes.indexOf(view.get(key("class"), "")) : null);

  const draw = () => {
    [...legend.children].forEach((each, i) => each.setAttribute("aria-pressed", String(i === marked())));
    const chosen = variantButtons(choices, ranked.map((i) => study.variants[i]), key("shown"), fallback, draw);
    const [set, owner] = imageSet.value().split(/ (.*)/s);
    const rows = set === "worst" ? sets.worst[owner] : sets[set];
    const kinds = ["image", "truth", ...ranked.filter((i) => chosen.has(study.variants[i]) || study.variants[i] === owner)];
    drawGrid(grid, study, source, rows, kinds, errors.value(), marked(), open);
  };
  const imageSet = choice("Images", key("images"), options, "samples", draw);
  const errors = toggle("errors instead of predictions", key("errors"), draw);
  const names = [...new Set([sets.samples, sets.differ, ...Object.values(sets.worst)].flat())].filter((name) => Object.hasOwn(images, name));
  const comparer = comparison(compare, study, source, names, ranked, key, marked);
  const open = (name, kind) => {
    comparer.open(name, kind);
    compare.scrollIntoView({ block: "nearest" });
  };
  const legend = element("p", { class: "legend", role: "group", "aria-label": "Highlight a class" }, ...classes.map((name, i) => {
    const highlighted = () => {
      view.set(key("class"), marked() === i ? "" : name, "");
      draw();
      comparer.draw();
    };
    return element("button", { type: "button", class: "class-key", onclick: highlighted }, chip(palette[i]), name);
  }));
  const missing = Object.values(omitted).reduce((a, b) => a + b, 0);
  place.append(
    element("div", { class: "toolbar" }, imageSet.node, errors.node),
    choices,
    legend,
    grid,
    element("p", { class: "caption" }, `Scores are the mIoU of the image, of seed ${study.pictures.seed}. Errors are orange, correct pixels grey. Select a class to highlight it, and a picture to compare it.${missing ? ` ${missing} pictures are left out to keep the page small.` : ""}`),
    compare,
  );
  whenVisible(place, draw);
  whenVisible(compare, comparer.draw);
}

function drawGrid(grid, study, source, names, kinds, errors, marked, open) {
  const heads = kinds.map((kind) => element("b", {}, { image: "Image", truth: "Truth" }[kind] ?? study.variants[kind]));
  const cells = names.flatMap((name) => [
    element("small", { class: "picture-name" }, name),
    ...kinds.map((kind) => {
      const score = study.pictures.scores[study.variants[kind]]?.[name];
      const canvas = picture(study, source, name, errors && Number.isInteger(kind) ? `error ${kind}` : String(kind), marked);
      canvas.addEventListener("click", () => open(name, errors && Number.isInteger(kind) ? `error ${kind}` : String(kind)));
      return element("div", {}, canvas, Number.isInteger(kind) ? element("small", {}, score === undefined || score === null ? NONE : fixed(score, 3)) : null);
    }),
  ]);
  const inner = element("div", { class: "pictures" }, ...heads, ...cells);
  inner.style.setProperty("--columns", kinds.length);
  grid.replaceChildren(inner);
}

/** A canvas with `image`, `truth`, the place of a variant (its prediction), or `error <place>`. */
function picture(study, source, name, kind, marked) {
  const [width, height] = study.pictures.images[name].size;
  const variant = study.variants[kind.replace("error ", "")];
  const title = { image: "Image", truth: "Truth" }[kind] ?? `${kind.startsWith("error") ? "Errors" : "Prediction"} of ${variant}`;
  const canvas = element("canvas", { width, height, role: "img", "aria-label": `${title}, ${name}`, class: kind === "image" ? null : "labels" });
  paint(canvas, study, source, name, kind, marked);
  return canvas;
}

async function paint(canvas, study, source, name, kind, marked) {
  const uris = kind.startsWith("error ") ? [source("truth", name), source(kind.slice(6), name)] : [source(kind, name)];
  if (!uris.every(Boolean)) {
    await null; // until the canvas is in the page
    canvas.replaceWith(element("div", { class: "missing" }, "left out"));
    return;
  }
  const [first, second] = await Promise.all(uris.map(pixelsOf));
  const result = new ImageData(new Uint8ClampedArray(first.data), first.width, first.height);
  if (second) drawErrors(result.data, first.data, second.data);
  if (marked !== null && kind !== "image") highlight(result.data, (second ?? first).data, study.pictures.palette[marked]);
  canvas.width = first.width;
  canvas.height = first.height;
  canvas.getContext("2d").putImageData(result, 0, 0);
}

/** Wrong pixels in vermilion, right ones in grey; pixels without a label or a prediction stay transparent. */
function drawErrors(result, truth, prediction) {
  for (let i = 0; i < result.length; i += 4) {
    const known = truth[i + 3] && prediction[i + 3];
    const wrong = truth[i] !== prediction[i] || truth[i + 1] !== prediction[i + 1] || truth[i + 2] !== prediction[i + 2];
    result.set(known ? (wrong ? [213, 94, 0, 255] : [222, 226, 230, 255]) : [0, 0, 0, 0], i);
  }
}

/** Fade all pixels that do not have a colour. */
function highlight(result, labels, colour) {
  const [r, g, b] = [1, 3, 5].map((k) => parseInt(colour.slice(k, k + 2), 16));
  for (let i = 0; i < result.length; i += 4) {
    if (labels[i] === r && labels[i + 1] === g && labels[i + 2] === b) continue;
    result[i + 3] = Math.min(result[i + 3], 50);
  }
}

/** Two pictures of an image on top of each other, and a slider between them. */
function comparison(place, study, source, names, ranked, key, marked) {
  // The view keeps names of variants, which are the same after variants are added.
  const named = (kind) => kind.replace(/^(error )?(\d+)$/, (_, error, i) => `${error ? "errors" : "prediction"} of ${study.variants[i]}`);
  const places = new Map(["image", "truth", ...ranked.flatMap((i) => [String(i), `error ${i}`])].map((kind) => [named(kind), kind]));
  const kinds = [...places.keys()].map((name) => [name, name]);
  const stage = element("div", { class: "stage" });
  const slider = element("input", { type: "range", min: 0, max: 100, value: 50, "aria-label": "Slider between the two pictures" });
  const cut = () => {
    const top = stage.querySelector(".top");
    if (top) top.style.clipPath = `inset(0 0 0 ${slider.value}%)`;
    const edge = stage.querySelector(".edge");
    if (edge) edge.style.left = `${slider.value}%`;
  };
  const draw = () => {
    const [below, above] = [left, right].map((each) => picture(study, source, image.value(), places.get(each.value()), marked()));
    above.classList.add("top");
    stage.replaceChildren(below, above, element("div", { class: "edge" }));
    cut();
  };
  slider.addEventListener("input", cut);
  slider.addEventListener("change", () => view.set(key("slider"), slider.value, "50"));
  const follow = () => {
    slider.value = view.get(key("slider"), "50");
    cut();
  };
  view.follow(follow);
  follow();
  const image = choice("Image", key("image"), names.map((name) => [name, name]), names[0], draw);
  const left = choice("left", key("left"), kinds, "truth", draw);
  const right = choice("right", key("right"), kinds, named(String(ranked[0])), draw);
  place.append(element("h4", {}, "Compare two pictures"), element("div", { class: "toolbar" }, image.node, left.node, right.node), stage, slider);
  return {
    draw,
    open(name, kind) {
      image.set(name);
      right.set(named(kind));
      draw();
    },
  };
}
