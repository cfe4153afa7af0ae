// How a score came about: a dialog with the runs behind it, the recipe, code, machine and the command that makes it again.

const dialog = document.getElementById("provenance");
let opener = null;

function openProvenance(study, variant, metric, source = null) {
  opener = source;
  view.set("score", `${DATA.studies[study].name}/${DATA.studies[study].variants[variant]}/${metric}`, "");
  fillProvenance(DATA.studies[study], variant, metric);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

/** Open the dialog that the address names, if any. */
function provenanceFromView() {
  const [name, variant, metric] = view.get("score", "").split("/");
  const study = DATA.studies.findIndex((each) => each.name === name);
  const place = study < 0 ? -1 : DATA.studies[study].variants.indexOf(variant);
  if (place >= 0 && Object.hasOwn(DATA.titles, metric)) openProvenance(study, place, metric);
  else if (dialog.open) dialog.close();
}

dialog.addEventListener("close", () => {
  view.set("score", "", "");
  opener?.focus({ preventScroll: true });
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // the backdrop
});
view.follow(provenanceFromView);

function fillProvenance(study, variant, metric) {
  const runs = study.runs[variant];
  const score = study.scores[metric];
  const values = runs.map((run) => run.scores[metric]);
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const low = score?.low[variant];
  const interval = low === null || low === undefined ? "" : ` · 95% interval ${fixed(low)} to ${fixed(score.high[variant])}`;
  const close = element("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => dialog.close() }, "×");
  const shown = score ? score.value[variant] : mean;
  dialog.replaceChildren(
    close,
    element("p", { class: "eyebrow" }, `${study.title} · ${DATA.titles[metric]}`),
    element("h2", { id: "provenance-title" }, study.variants[variant]),
    element("p", { class: "figure" }, element("b", {}, fixed(shown)), interval),
    runTable(runs, metric),
    element("h3", {}, "Make it again"),
    ...commands(runs),
    element("h3", {}, "Recipe"),
    ...recipeTable(study, variant),
    element("h3", {}, "Code and machine"),
    ...machines(runs),
  );
}

function runTable(runs, metric) {
  const heads = ["Seed", DATA.titles[metric], "Epochs", "Steps", "Trained in", "Peak memory", "Device", "Started"];
  const lines = runs.map((run) => {
    const epochs = run.scored === run.epochs ? String(run.epochs) : `${run.epochs}, scored ${run.scored}`;
    const cells = [fixed(run.scores[metric]), epochs, run.steps.toLocaleString("en"), run.training, run.memory, run.device, run.started.replace("T", " ").replace(/\+00:00$/, " UTC")];
    return element("tr", {}, element("th", { scope: "row" }, run.run), ...cells.map((text) => element("td", { class: "n" }, text)));
  });
  const head = element("tr", {}, ...heads.map((text, i) => element("th", { scope: "col", class: i ? "n" : null }, text)));
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...lines));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Runs" }, table);
}

function commands(runs) {
  const text = element("code", {}, runs[0].command);
  const copy = element("button", { type: "button", class: "plain-button" }, "Copy");
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(text); // where the clipboard is not available
    }
  });
  const choose = element("select", { "aria-label": "Seed" }, ...runs.map((run, i) => element("option", { value: i }, run.run)));
  choose.addEventListener("change", () => {
    text.textContent = runs[choose.value].command;
    copy.textContent = "Copy";
  });
  const seed = runs.length > 1 ? element("label", { class: "field" }, element("span", {}, "Seed"), choose) : null;
  const edited = runs.some((run) => run.edited) ? " Files had been edited after this commit." : "";
  const note = `Add --configfile, --config values and --directory of the original command, if it had any.${edited}`;
  return [element("div", { class: "toolbar" }, seed, copy), element("pre", { tabindex: "0" }, text), element("p", { class: "caption" }, note)];
}

/** Values of the recipe beside those of another variant; at first, only those that differ. */
function recipeTable(study, variant) {
  const { keys, values } = study.recipe;
  const others = study.variants.map((name, i) => [i, name]).filter(([i]) => i !== variant);
  const select = element("select", { "aria-label": "Differences from" }, ...others.map(([i, name]) => element("option", { value: i }, name)));
  const all = element("input", { type: "checkbox" });
  all.checked = !others.length;
  if (study.best !== null && study.best !== variant) select.value = study.best;
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
  select.addEventListener("change", draw);
  all.addEventListener("change", draw);
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
