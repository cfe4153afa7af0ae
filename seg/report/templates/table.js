// Tables that can be sorted, filtered and reduced to some of their columns.

/** Make the columns with `data-sort` sortable; `key` is the place of the choice in the view. Returns what sorts again. */
function sortable(table, key) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const heads = leafHeads(table);
  const buttons = new Map();
  const collator = new Intl.Collator("en", { numeric: true });

  function value(row, column, kind) {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent; // without the numbers of notes
    if (kind === "text") return text.trim();
    return text.trim() === "" || Number.isNaN(Number(text)) ? null : Number(text);
  }

  function apply() {
    const chosen = view.get(key, "");
    const name = chosen.replace(/^-/, "");
    const down = chosen.startsWith("-");
    let rows = original;
    for (const [head, { column, id }] of buttons) {
      const active = id === name;
      if (active) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
      if (!active) continue;
      const kind = head.dataset.sort;
      const keyed = original.map((row) => [value(row, column, kind), row]);
      keyed.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null); // rows without a value come last
        const order = kind === "text" ? collator.compare(a, b) : a - b;
        return down ? -order : order;
      });
      rows = keyed.map(([, row]) => row);
    }
    if (rows.some((row, i) => row !== body.rows[i])) body.append(...rows);
  }

  heads.forEach((head, column) => {
    const kind = head?.dataset.sort;
    if (!kind) return;
    const id = head.dataset.key ?? String(column);
    const button = element("button", { type: "button", class: "sort" }, ...head.childNodes);
    head.append(button);
    buttons.set(head, { column, id });
    const first = kind === "falling" ? `-${id}` : id;
    const second = kind === "falling" ? id : `-${id}`;
    button.addEventListener("click", () => {
      const chosen = view.get(key, "");
      view.set(key, chosen === first ? second : chosen === second ? "" : first, "");
      apply();
    });
  });
  view.follow(apply);
  apply();
  return apply;
}

/** The header cell of every column: those of the second row replace the ones that span several columns. */
function leafHeads(table) {
  const [first, second] = table.tHead.rows;
  const below = second ? [...second.cells] : [];
  return [...first.cells].flatMap((cell) => (cell.colSpan > 1 ? below.splice(0, cell.colSpan) : [cell]));
}

/** Filter of rows by the text of their first cell. */
function filterField(table, key) {
  const rows = [...table.tBodies[0].rows];
  const texts = rows.map(({ cells: [cell] }) => (cell.dataset.value ?? cell.textContent).toLowerCase());
  const input = element("input", { type: "search", placeholder: "all variants", spellcheck: "false", autocomplete: "off" });
  const count = element("output", { class: "count" });

  function apply() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, i) => {
      const found = words.every((word) => texts[i].includes(word));
      row.hidden = !found;
      shown += found;
    });
    count.textContent = words.length ? `${shown} of ${rows.length}` : "";
  }

  input.addEventListener("input", () => {
    view.set(key, input.value, "");
    apply();
  });
  const follow = () => {
    input.value = view.get(key, "");
    apply();
  };
  view.follow(follow);
  follow();
  return element("label", { class: "field" }, element("span", {}, "Filter"), input, count);
}

/** Checkboxes for the groups of columns; those marked `data-optional` are hidden at first. */
function columnChooser(table, key) {
  const heads = leafHeads(table);
  const tops = [...table.tHead.rows[0].cells].filter((cell) => cell.dataset.group);
  const standard = tops.filter((cell) => !("optional" in cell.dataset)).map((cell) => cell.dataset.group);
  const fallback = standard.join(" ");
  const lines = [...table.tBodies[0].rows, ...(table.tFoot?.rows ?? [])];
  const boxes = tops.map((cell) => {
    const box = element("input", { type: "checkbox", value: cell.dataset.group });
    box.addEventListener("change", () => {
      const chosen = boxes.filter((each) => each.box.checked).map((each) => each.box.value);
      view.set(key, chosen.join(" "), fallback);
      apply();
    });
    return { box, node: element("label", { class: "check" }, box, element("span", {}, cell.textContent.trim().replace(/[\d.\s]+$/, ""))) };
  });

  function apply() {
    const chosen = new Set(view.get(key, fallback).split(" "));
    boxes.forEach(({ box }) => (box.checked = chosen.has(box.value)));
    for (const cell of table.tHead.querySelectorAll("[data-group]")) cell.hidden = !chosen.has(cell.dataset.group);
    heads.forEach((head, column) => {
      if (!head.dataset.group) return;
      for (const row of lines) row.cells[column].hidden = head.hidden;
    });
  }

  view.follow(apply);
  apply();
  const list = element("fieldset", {}, element("legend", {}, "Columns"), ...boxes.map(({ node }) => node));
  const details = element("details", { class: "menu" }, element("summary", {}, "Columns"), list);
  details.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !details.open) return;
    details.open = false;
    details.firstElementChild.focus();
  });
  document.addEventListener("click", (event) => {
    if (!details.contains(event.target)) details.open = false;
  });
  return details;
}

/** Controls of a study's comparison. */
function comparisonTable(section, study) {
  const table = section.querySelector("table.comparison");
  const tools = section.querySelector('[data-tools="comparison"]');
  const copy = element("button", { type: "button", class: "plain-button", onclick: () => copyText(shownValues(table), copy, table) }, "Copy table");
  tools.append(filterField(table, `${study.name}.filter`), columnChooser(table, `${study.name}.columns`), copy);
  sortable(table, `${study.name}.sort`);
}

const RANKS = ["against_best", "budget_epochs", "miou_classes"]; // columns whose `data-value` only sorts them

/** Rows and columns of a table that are shown, as text with tabs: names and values of `comparison.csv`. */
function shownValues(table) {
  const heads = leafHeads(table);
  const columns = heads.map((_, i) => i).filter((i) => !heads[i].hidden && heads[i].dataset.sort);
  const value = (cell, key) => (RANKS.includes(key) ? cell.textContent : cell.dataset.value ?? "");
  const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => columns.map((i) => value(row.cells[i], heads[i].dataset.key)));
  return [columns.map((i) => heads[i].dataset.key ?? "variant"), ...rows].map((cells) => `${cells.join("\t")}\n`).join("");
}

/** Call `open(cell)` for the cells of a table's body on a click and on Enter; arrow keys move between them. */
function cellGrid(table, open) {
  const body = table.tBodies[0];
  table.setAttribute("role", "grid");
  for (const row of body.rows) row.cells[1].tabIndex = 0;
  const at = (cell) => {
    if (!cell.hasAttribute("tabindex")) cell.tabIndex = -1;
    cell.focus();
  };
  body.addEventListener("click", (event) => {
    const cell = event.target.closest("td");
    if (cell) at(cell), open(cell);
  });
  body.addEventListener("keydown", (event) => {
    const cell = event.target.closest("td");
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0], Enter: [0, 0] }[event.key];
    if (!cell || !step) return;
    event.preventDefault(); // of scrolling, and of pressing the button of the dialog that opens
    const rows = [...body.rows].filter((row) => !row.hidden);
    const target = rows[rows.indexOf(cell.parentNode) + step[0]]?.cells[cell.cellIndex + step[1]];
    if (event.key === "Enter") open(cell);
    else if (target?.tagName === "TD") at(target);
  });
}
