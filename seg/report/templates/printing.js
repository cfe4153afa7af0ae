// On paper: everything is unfolded, and tables that are wider than a page are divided by their columns.

const PAPER = 1000; // pixels on the screen that fit on A4 upright, where letters of tables have two thirds of their size
let printed = { folds: [], tables: [], copies: [] };

addEventListener("beforeprint", () => {
  const folds = [...document.querySelectorAll("main details:not([open]):not(.menu)")];
  for (const fold of folds) fold.open = true;
  document.documentElement.classList.add("measured");
  const tables = [...document.querySelectorAll("main table")].filter((table) => table.tHead && table.offsetWidth > PAPER);
  const copies = tables.flatMap((table) => {
    const parts = tableParts(table, PAPER);
    table.after(...parts);
    table.classList.add("only-screen");
    return parts;
  });
  document.documentElement.classList.remove("measured");
  printed = { folds, tables, copies };
});

addEventListener("afterprint", () => {
  for (const fold of printed.folds) fold.open = false;
  for (const table of printed.tables) table.classList.remove("only-screen");
  for (const copy of printed.copies) copy.remove();
});

/** Copies of a table, each with the first column and those of the others that fit into a width. */
function tableParts(table, room) {
  const widths = leafHeads(table).map((head) => head.offsetWidth);
  const parts = [];
  let width = Infinity;
  for (let column = 1; column < widths.length; column++) {
    if (width + widths[column] > room) {
      parts.push(new Set([0]));
      width = widths[0];
    }
    parts.at(-1).add(column);
    width += widths[column];
  }
  return parts.map((part) => tablePart(table.cloneNode(true), part));
}

/** A table without the columns that are not in `part`. */
function tablePart(table, part) {
  table.classList.add("only-paper");
  for (const node of table.querySelectorAll("[id]")) node.removeAttribute("id");
  const heads = leafHeads(table);
  let end = 0;
  for (const cell of table.tHead.rows[0].cells) {
    const start = end;
    end += cell.colSpan;
    if (cell.colSpan > 1) cell.colSpan = [...part].filter((column) => column >= start && column < end).length || 1;
    if (![...part].some((column) => column >= start && column < end)) cell.hidden = true;
  }
  for (const row of [...table.tBodies[0].rows, ...(table.tFoot?.rows ?? [])]) heads.forEach((_, column) => part.has(column) || (row.cells[column].hidden = true));
  heads.forEach((head, column) => part.has(column) || (head.hidden = true));
  return table;
}
