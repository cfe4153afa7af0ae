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
  const links = new Map([...document.querySelectorAll("nav .contents a")].map((link) => [link.getAttribute("href").slice(1), link]));
  const spy = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(target.id).setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-10% 0px -80% 0px" });
  for (const id of links.keys()) spy.observe(document.getElementById(id));
}

let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("main details:not([open]):not(.menu)")];
  for (const details of folded) details.open = true;
});
addEventListener("afterprint", () => folded.forEach((details) => (details.open = false)));

document.documentElement.classList.add("scripted");
themeButton();
costPlots();
for (const section of document.querySelectorAll("section.study")) {
  const index = Number(section.dataset.study);
  const study = DATA.studies[index];
  comparisonTable(section, study, index);
  pairMatrix(section, study, index);
  classTools(section, study);
  curveTools(section, study);
  pictureTools(section, study);
}
markContents();
view.reveal();
provenanceFromView();
