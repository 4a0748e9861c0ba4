"use strict";
// Sorts and filters tables, and shows what a cell or run rests on. Reads only what stands in this file.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const dialog = document.getElementById("details");
  const body = document.getElementById("details-body");

  // Sorting: numbers by data-v, missing ones last whichever way; words by the browser's collation.
  const collator = new Intl.Collator("en", { numeric: true });
  const columnOf = (th) => {
    // Cells of the two heading rows are matched to columns of the body by counting spans.
    const head = th.closest("thead");
    const taken = [];
    for (const [r, row] of [...head.rows].entries()) {
      let c = 0;
      for (const cell of row.cells) {
        while (taken[r]?.[c]) c += 1;
        if (cell === th) return c;
        for (let i = 0; i < cell.rowSpan; i += 1)
          for (let j = 0; j < cell.colSpan; j += 1) (taken[r + i] ||= [])[c + j] = true;
        c += cell.colSpan;
      }
    }
    return 0;
  };
  const sortBy = (th) => {
    const table = th.closest("table");
    const down = th.getAttribute("aria-sort") === "ascending";
    for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
    th.setAttribute("aria-sort", down ? "descending" : "ascending");
    const column = columnOf(th);
    const numeric = th.dataset.type === "number";
    const keyed = [...table.tBodies[0].rows].map((row) => {
      const cell = row.cells[column];
      return { row, key: numeric ? parseFloat(cell.dataset.v) : cell.textContent };
    });
    const sign = down ? -1 : 1;
    keyed.sort((a, b) => {
      if (!numeric) return sign * collator.compare(a.key, b.key);
      const missing = Number.isNaN(a.key) - Number.isNaN(b.key);
      return missing || sign * (a.key - b.key) || 0;
    });
    table.tBodies[0].append(...keyed.map((entry) => entry.row));
  };

  // Filtering: rows that hold every word typed.
  const filter = (input) => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = [...input.closest(".filter").parentElement.querySelectorAll("table[data-sortable] tbody tr")];
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    input.closest(".filter").querySelector("output").textContent = words.length ? `${shown} of ${rows.length} rows` : "";
  };

  // Details. Text only ever enters through textContent.
  const element = (tag, text, attributes = {}) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const list = (pairs) => {
    const dl = element("dl");
    for (const [name, value] of pairs) {
      if (value === undefined || value === null || value === "") continue;
      const dd = element("dd");
      dd.append(value instanceof Node ? value : String(value));
      dl.append(element("dt", name), dd);
    }
    return dl;
  };
  const pretty = (value) => element("pre", JSON.stringify(value, null, 1));
  const address = (kind, parts) => `#${kind}/${parts.map(encodeURIComponent).join("/")}`;

  const showCell = (key) => {
    const cell = data.cells[key];
    if (!cell) return false;
    const [group, table, scenario, method, metric] = key.split("/");
    const seeds = element("span");
    for (const [seed, value] of cell.seeds || []) {
      const known = data.runs[`${group}/${scenario}/${method}/${seed}`];
      seeds.append(known ? element("a", `seed ${seed}`, { href: address("run", [group, scenario, method, seed]) }) : `seed ${seed}`);
      seeds.append(`: ${value}   `);
    }
    const others = Object.keys(data.runs).filter((run) => run.startsWith(`${group}/${scenario}/${method}/`)
      && !(cell.seeds || []).some(([seed]) => run.endsWith(`/${seed}`)));
    for (const run of others) seeds.append(element("a", `seed ${run.split("/")[3]}`, { href: address("run", run.split("/")) }), " (no value)   ");
    const info = data.metrics[metric] || {};
    body.replaceChildren(
      element("h2", `${cell.label}, ${scenario}: ${info.label || metric}`, { id: "details-title" }),
      list([
        ["Values by seed", seeds.childNodes.length ? seeds : `none: ${cell.status}`],
        ["Unit", info.unit], ["Status", cell.status], ["Remark", cell.reason],
        ["Seeds", `${(cell.seeds || []).length} of ${cell.planned} planned`],
        ["Standard deviation", cell.std], ["Definition", info.definition],
        ["Published", cell.published && `${cell.published}${cell.publishedAs ? ` (as ${cell.publishedAs})` : ""}`],
        ["Read from", cell.source], ["Verdict", cell.published && cell.verdict && `${cell.kind}: ${cell.verdict}`],
        ["Equivalence", cell.tost], ["Note", cell.note], ["Table", table], ["Run this cell", data.commands[group]
          ? element("pre", data.commands[group].replace("{target}", `results/metrics/${scenario}/${method}.json`)) : ""],
      ]),
    );
    return true;
  };

  const showRun = (key) => {
    const run = data.runs[key];
    if (!run) return false;
    const [status, reason, settings, scenario, environment, code, split, dataSets, seconds] = run;
    const [group, ...target] = key.split("/");
    const { versions, ...rest } = data.shared[environment] || {};
    body.replaceChildren(
      element("h2", `Run ${target[0]} / ${target[1]} / seed ${target[2]}`, { id: "details-title" }),
      list([
        ["Status", reason ? `${status}: ${reason}` : status], ["Training", seconds === null ? "" : `${seconds} s`],
        ["Exact command", data.commands[group] ? element("pre", data.commands[group].replace("{target}",
          `results/runs/${target[0]}/${target[1]}/seed${target[2]}/run.json`)) : ""],
        ["Code fingerprint", code], ["Split, SHA-256", split], ["Data, SHA-256", dataSets.join(" ")],
        ["Method settings", pretty(data.shared[settings])], ["Scenario", pretty(data.shared[scenario])],
        ["Environment", pretty(rest)], ["Versions", pretty(versions)],
      ]),
    );
    return true;
  };

  const route = () => {
    const parts = location.hash.slice(1).split("/").map(decodeURIComponent);
    const show = { cell: showCell, run: showRun }[parts[0]];
    if (show && show(parts.slice(1).join("/"))) {
      if (!dialog.open) dialog.showModal();
      dialog.scrollTop = 0;
    } else if (dialog.open) dialog.close();
  };
  dialog.addEventListener("close", () => {
    if (/^#(cell|run)\//.test(location.hash)) history.replaceState(null, "", location.pathname + location.search);
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  addEventListener("hashchange", route);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.sort");
    if (button) sortBy(button.closest("th"));
  });
  document.addEventListener("input", (event) => { if (event.target.matches("[data-filter]")) filter(event.target); });
  route();
})();
