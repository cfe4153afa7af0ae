// How a score came about: a dialog with the runs behind it, the recipe, code, machine and the command that makes it again.

const dialog = document.getElementById("provenance");
let opener = null;

function openProvenance(study, variant, metric, source) {
  view.set("score", `${DATA.studies[study].name}/${DATA.studies[study].variants[variant]}/${metric}`, "");
  showProvenance(study, variant, metric, source);
}

function showProvenance(study, variant, metric, source) {
  const score = scoreOf(DATA.studies[study], metric);
  if (!score) return;
  opener = source;
  fillProvenance(DATA.studies[study], variant, score);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

/** Open the dialog that the address names, if any. */
function provenanceFromView() {
  const [name, variant, ...rest] = view.get("score", "").split("/");
  const metric = rest.join("/"); // names of classes may contain a slash
  const study = DATA.studies.findIndex((each) => each.name === name);
  const place = study < 0 ? -1 : DATA.studies[study].variants.indexOf(variant);
  if (place < 0) return dialog.close();
  const link = `section[data-study="${study}"] [data-variant="${place}"] a[data-metric="${CSS.escape(metric)}"]`;
  showProvenance(study, place, metric, document.querySelector(link));
}

/** Title of a score of a study, and its values: `of(variant)`, and `ofRun(run)`; null if there is no such score. */
function scoreOf(study, metric) {
  const [, kind, name] = metric.match(/^(iou|boundary_iou)\[(.*)\]$/s) ?? [];
  const place = study.classes.indexOf(name);
  const { low = [], high = [] } = study.scores[metric] ?? {};
  if (place >= 0) return { title: `${DATA.class_titles[kind]} of ${name}`, of: (i) => study[kind][i][place], ofRun: (run) => run[kind][place], low, high };
  if (!Object.hasOwn(DATA.titles, metric)) return null;
  const ofRun = (run) => run.scores[metric];
  const mean = (i) => study.runs[i].map(ofRun).reduce((a, b) => a + b, 0) / study.runs[i].length;
  return { title: DATA.titles[metric], of: (i) => study.scores[metric]?.value[i] ?? mean(i), ofRun, low, high };
}

dialog.addEventListener("close", () => {
  for (const key of ["score", "score.seed", "score.from", "score.all"]) view.set(key, "", "");
  opener?.focus({ preventScroll: true });
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // the backdrop
});
document.querySelector("main").addEventListener("click", (event) => {
  const link = event.target.closest("a.score");
  if (!link || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const [study, variant] = ["study", "variant"].map((name) => Number(link.closest(`[data-${name}]`).dataset[name]));
  openProvenance(study, variant, link.dataset.metric, link);
});
view.follow(provenanceFromView);

function fillProvenance(study, variant, score) {
  const runs = study.runs[variant];
  const low = score.low[variant];
  const interval = low === null || low === undefined ? "" : ` · 95% interval ${fixed(low)} to ${fixed(score.high[variant])}`;
  const close = element("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => dialog.close() }, "×");
  dialog.replaceChildren(
    close,
    element("p", { class: "eyebrow" }, `${study.title} · ${score.title}`),
    element("h2", { id: "provenance-title" }, study.variants[variant]),
    element("p", { class: "figure" }, element("b", {}, fixed(score.of(variant))), interval),
    runTable(runs, score),
    ...commands(runs),
    element("h3", {}, "Recipe"),
    ...recipeTable(study, variant),
    element("h3", {}, "Code and machine"),
    ...machines(runs),
  );
}

function runTable(runs, score) {
  const heads = ["Seed", score.title, "Epochs", "Steps", "Trained in", "Peak memory", "Device", "Started"];
  const lines = runs.map((run) => {
    const epochs = run.scored === run.epochs ? String(run.epochs) : `${run.epochs}, scored ${run.scored}`;
    const cells = [fixed(score.ofRun(run)), epochs, run.steps.toLocaleString("en"), run.training, run.memory, run.device, run.started.replace("T", " ").replace(/\+00:00$/, " UTC")];
    return element("tr", {}, element("th", { scope: "row" }, run.run), ...cells.map((text) => element("td", { class: "n" }, text)));
  });
  const head = element("tr", {}, ...heads.map((text, i) => element("th", { scope: "col", class: i ? "n" : null }, text)));
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...lines));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Runs" }, table);
}

/** Commands of a chosen run: to make it again, and to use its model. */
function commands(runs) {
  const [again, predict] = ["command", "predict"].map((name) => ({ name, text: element("code"), copy: element("button", { type: "button", class: "plain-button" }, "Copy") }));
  const show = (run) => {
    for (const { name, text } of [again, predict]) text.textContent = run[name];
  };
  for (const { text, copy } of [again, predict]) copy.addEventListener("click", () => copyText(text.textContent, copy, text));
  const names = runs.map((run) => run.run);
  const choose = element("select", { "aria-label": "Seed" }, ...names.map((name) => element("option", {}, name)));
  choose.addEventListener("change", () => {
    view.set("score.seed", choose.value, names[0]);
    show(runs[choose.selectedIndex]);
  });
  choose.selectedIndex = Math.max(0, names.indexOf(view.get("score.seed", names[0])));
  show(runs[choose.selectedIndex]);
  const seed = runs.length > 1 ? element("label", { class: "field" }, element("span", {}, "Seed"), choose) : null;
  const edited = runs.some((run) => run.edited) ? " Files had been edited after this commit." : "";
  const note = `Add --configfile, --config values and --directory of the original command, if it had any.${edited}`;
  return [
    element("h3", {}, "Make it again"),
    element("div", { class: "toolbar" }, seed, again.copy),
    element("pre", { tabindex: "0" }, again.text),
    element("p", { class: "caption" }, note),
    element("h3", {}, "Segment images with it"),
    element("div", { class: "toolbar" }, predict.copy),
    element("pre", { tabindex: "0" }, predict.text),
  ];
}

/** Values of the recipe beside those of another variant; at first, only those that differ. */
function recipeTable(study, variant) {
  const { keys, values } = study.recipe;
  const others = study.variants.map((name, i) => [i, name]).filter(([i]) => i !== variant);
  const select = element("select", { "aria-label": "Differences from" }, ...others.map(([i, name]) => element("option", { value: i }, name)));
  const all = element("input", { type: "checkbox" });
  const first = study.best !== null && study.best !== variant ? study.best : others[0]?.[0];
  const from = others.find(([, name]) => name === view.get("score.from", study.variants[first]));
  select.value = (from ?? [first])[0];
  all.checked = !others.length || view.get("score.all", "") === "1";
  const holder = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Recipe" });
  const draw = () => {
    const other = others.length ? Number(select.value) : null;
    const differs = (k) => other !== null && values[variant][k] !== values[other][k];
    const shown = keys.map((_, k) => k).filter((k) => all.checked || differs(k));
    const names = [study.variants[variant], ...(other === null ? [] : [study.variants[other]])];
    const head = element("tr", {}, element("th", { scope: "col" }, "Value"), ...names.map((name) => element("th", { scope: "col" }, name)));
    const lines = shown.map((k) => {
      const cells = [variant, ...(other === null ? [] : [other])].map((i) => element("td", {}, values[i][k]));
      return element("tr", { class: differs(k) && all.checked ? "differs" : null }, element("th", { scope: "row" }, keys[k]), ...cells);
    });
    const table = element("table", { class: "recipe" }, element("thead", {}, head), element("tbody", {}, ...lines));
    holder.replaceChildren(shown.length ? table : element("p", { class: "caption" }, "The recipes are the same."));
  };
  select.addEventListener("change", () => {
    view.set("score.from", study.variants[select.value], study.variants[first]);
    draw();
  });
  all.addEventListener("change", () => {
    view.set("score.all", all.checked ? "1" : "", "");
    draw();
  });
  draw();
  const against = others.length ? element("label", { class: "field" }, element("span", {}, "Differences from"), select) : null;
  const check = others.length ? element("label", { class: "check" }, all, element("span", {}, "all values")) : null;
  return [element("div", { class: "toolbar" }, against, check), holder];
}

function machines(runs) {
  return [...new Set(runs.map((run) => run.machine))].map((place) => {
    const of = runs.filter((run) => run.machine === place);
    const codes = [...new Set(of.map((run) => run.code))].join(", ");
    const facts = { ...DATA.machines[place], "Digest of the code": codes, "Evaluated in": of.map((run) => run.evaluation).join(", ") };
    return element("dl", {}, ...Object.entries(facts).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
  });
}
