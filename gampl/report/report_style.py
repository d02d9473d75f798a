"""Looks of the report: one column that fits any width, and paper."""

CSS = """
:root { color-scheme: light; --ink: #1c2430; --soft: #5a6472; --line: #d9dee5; --link: #0b5c94; --warn: #9a5b00; }
* { box-sizing: border-box; }
html { background: #fff; color: var(--ink); -webkit-text-size-adjust: 100%; }
body { max-width: 62rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
header { border-bottom: 3px solid #0072b2; margin-bottom: 1.5rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0.5rem 0; }
h2 { font-size: 1.35rem; line-height: 1.3; margin: 2.2rem 0 0.7rem; }
h3 { font-size: 1.05rem; margin: 1.2rem 0 0.3rem; }
.lead { color: var(--soft); margin: 0 0 1rem; }
a { color: var(--link); }
p, li, dd { max-width: 46rem; }
ul { margin: 0.3rem 0; padding-left: 1.3rem; }
#answer ul { list-style: none; padding: 0; }
#answer li { font-size: 1.12rem; margin: 0 0 0.8rem; padding-left: 0.9rem; border-left: 4px solid #009e73; }
#answer li.none { border-color: var(--line); }
#answer li a { font-size: 0.9rem; white-space: nowrap; }
.warnings, .notes { border: 1px solid #e69f00; border-left-width: 6px; background: #fff8e8; border-radius: 4px;
  padding: 0.2rem 1rem 0.7rem; margin: 1.2rem 0; }
.warnings h2, .notes h3 { color: var(--warn); margin: 0.6rem 0 0.3rem; }
.notes { border-left-width: 4px; background: #fffdf7; }
figure { margin: 1rem 0; }
img { display: block; max-width: 100%; height: auto; background: #fff; }
figcaption { color: var(--soft); font-size: 0.92rem; max-width: 46rem; margin-top: 0.3rem; }
.estimate { border-top: 1px solid var(--line); }
.beside { display: grid; grid-template-columns: 1.3fr 1fr; gap: 2rem; align-items: start; }
.beside > * { min-width: 0; }
.beside .facts div { grid-template-columns: 1fr 1fr; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); gap: 1rem; }
.grid figure { margin: 0; min-width: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.95rem; overflow-wrap: normal; }
th, td { text-align: left; padding: 0.35rem 0.9rem 0.35rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
thead th { border-bottom: 2px solid var(--soft); }
tbody th { font-weight: 600; min-width: 10rem; overflow-wrap: anywhere; }
.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
.none { color: var(--soft); }
dl { margin: 0.5rem 0; }
dt { font-weight: 600; }
dd { margin: 0 0 0.8rem; }
.facts div { display: grid; grid-template-columns: 14rem 1fr; gap: 1rem; border-bottom: 1px solid var(--line);
  padding: 0.25rem 0; }
.facts dt { font-weight: 400; color: var(--soft); }
.facts dd { margin: 0; min-width: 0; }
pre { background: #f4f6f8; border-radius: 4px; padding: 0.7rem; white-space: pre-wrap; font-size: 0.9rem; }
footer { border-top: 1px solid var(--line); margin-top: 2.5rem; color: var(--soft); font-size: 0.9rem; }
@media (max-width: 52rem) { .beside { grid-template-columns: 1fr; gap: 0; } }
@media (max-width: 36rem) {
  h1 { font-size: 1.5rem; }
  h2 { font-size: 1.2rem; }
  .facts div { grid-template-columns: 1fr; gap: 0; }
  table { font-size: 0.85rem; }
  th, td { padding-right: 0.6rem; }
  tbody th { min-width: 6rem; }
}
@media print {
  @page { margin: 16mm; }
  html { font-size: 10pt; }
  body { max-width: none; padding: 0; }
  a { color: inherit; text-decoration: none; }
  #answer li.none { border-color: var(--line); }
#answer li a { display: none; }
  h2, h3 { break-after: avoid; }
  figure, tr, .facts div, .warnings, .notes { break-inside: avoid; }
  .scroll { overflow: visible; }
  .warnings, .notes, header { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
