// The claims page: rows by verdict and section, and counts that choose them. Without this script all rows show.
document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("form.claims-filter");
  const table = document.getElementById("claims-paper");
  if (!form || !table) return;
  const rows = [...table.tBodies[0].rows];

  function show() {
    const { verdict, section } = form.elements;
    for (const row of rows) {
      const fits = [[verdict, row.dataset.verdict], [section, row.dataset.section]]
        .every(([chosen, own]) => !chosen.value || chosen.value === own);
      row.hidden = !fits;
    }
    const shown = rows.filter((row) => !row.hidden).length;
    form.querySelector("output").textContent = `${shown} of ${rows.length} claims`;
  }

  for (const cell of document.querySelectorAll(".claims-counts td[data-verdict]")) {
    if (!/\d/.test(cell.textContent)) continue;
    const button = document.createElement("button");
    const where = cell.dataset.section ? `in section ${cell.dataset.section}` : "in all sections";
    button.type = "button";
    button.textContent = cell.textContent;
    button.setAttribute("aria-label", `${cell.textContent} ${cell.dataset.verdict} ${where}: show them`);
    button.addEventListener("click", () => {
      form.elements.verdict.value = cell.dataset.verdict;
      form.elements.section.value = cell.dataset.section;
      show();
      form.scrollIntoView({ block: "start" });
    });
    cell.replaceChildren(button);
  }

  form.addEventListener("change", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(show)); // after the lists have gone back
  form.hidden = false;
  show();
});
