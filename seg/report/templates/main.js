// Start of the page.

/** Light, dark, or as the system: the button goes through them, and the browser keeps the choice where it can. */
function themeButton() {
  const names = ["system", "light", "dark"];
  const button = element("button", { type: "button", class: "theme" });
  const apply = (name) => {
    if (name === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    button.textContent = `Theme: ${name}`;
  };
  let chosen = "system";
  try {
    chosen = localStorage.getItem("theme") ?? chosen;
  } catch {} // storage is blocked: the choice lasts until the page is closed
  if (!names.includes(chosen)) chosen = "system";
  button.addEventListener("click", () => {
    chosen = names[(names.indexOf(chosen) + 1) % names.length];
    apply(chosen);
    try {
      localStorage.setItem("theme", chosen);
    } catch {} // as above
  });
  apply(chosen);
  document.querySelector(".contents").prepend(button);
}

/** Mark the section in the window in the contents. */
function markContents() {
  let marked = null;
  const mark = () => {
    marked?.removeAttribute("aria-current");
    marked = document.querySelector(`.contents a[href="#${currentSection()}"]`);
    marked?.setAttribute("aria-current", "true");
  };
  addEventListener("scroll", () => requestAnimationFrame(mark), { passive: true });
  mark();
}

/** Keep in the view what is unfolded, or folded that is not at first. */
function keepFolds() {
  const folds = [...document.querySelectorAll("main details[id]")];
  const first = new Map(folds.map((fold) => [fold, fold.open]));
  const follow = () => {
    const changed = view.get("folds", "").split(" ");
    for (const fold of folds) fold.open = first.get(fold) !== changed.includes(fold.id);
  };
  follow();
  view.follow(follow);
  for (const fold of folds) {
    fold.querySelector("summary").addEventListener("click", () => {
      const changed = folds.filter((each) => (each === fold) !== (each.open !== first.get(each)));
      view.set("folds", changed.map(({ id }) => id).join(" "), "");
    });
  }
}

document.documentElement.classList.add("scripted");
themeButton();
costPlots();
for (const section of document.querySelectorAll("section.study")) {
  const index = Number(section.dataset.study);
  const study = DATA.studies[index];
  comparisonTable(section, study);
  pairMatrix(section, study, index);
  classTools(section, study, index);
  curveTools(section, study);
  pictureTools(section, study);
}
keepFolds();
view.reveal();
markContents();
provenanceFromView();
