"""The page's style sheet: light and dark, wide and narrow, in colours that the colour-blind can tell apart.

Hues are those of Okabe and Ito (2008), "Color Universal Design", darkened on white and lightened on black until each
has a contrast of 3:1 or more; curves differ by dash as well, so that no meaning hangs on colour alone.
"""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark;
  --page: #ffffff; --panel: #f6f7f9; --ink: #1b2026; --soft: #59636e; --rule: #d5dae0; --grid: #e6e9ed;
  --joint: #0067a3; --a0: #a86f00; --a1: #007f5c; --a2: #a84a80; --a3: #c25400; --a4: #2a87bd; --a5: #6b6b6b; }
@media (prefers-color-scheme: dark) { :root {
  --page: #14171b; --panel: #1d2126; --ink: #e7eaee; --soft: #a3adb8; --rule: #3a424b; --grid: #2a3037;
  --joint: #3d9ae0; --a0: #e69f00; --a1: #1fbf92; --a2: #dd92bb; --a3: #ee7b33; --a4: #a9d3ee; --a5: #a0a0a0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main, header, footer { max-width: 760px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 36px; } footer { padding-bottom: 48px; color: var(--soft); font-size: 14px; }
h1 { font-size: 27px; line-height: 1.25; margin: 4px 0 12px; } h2 { font-size: 20px; margin: 44px 0 8px; }
h2.chapter { font-size: 24px; margin-top: 64px; padding-top: 14px; border-top: 2px solid var(--rule); }
h3 { font-size: 18px; margin: 30px 0 8px; } h4 { font-size: 16px; margin: 24px 0 4px; }
nav a { color: var(--joint); } details :is(h2, h3):first-of-type { margin-top: 16px; }
.kicker { color: var(--soft); margin: 0; font-size: 14px; } .lead { font-size: 18px; margin: 0 0 8px; }
.note, figcaption { color: var(--soft); font-size: 14px; } p { margin: 8px 0; overflow-wrap: break-word; }
figure { margin: 12px 0 0; } figcaption { margin-top: 4px; }
.scroll { overflow-x: auto; margin: 20px 0 12px; } .scroll:focus-visible { outline: 2px solid var(--joint); }
table { border-collapse: collapse; width: 100%; font-size: 15px; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); font-size: 14px; padding-bottom: 6px; }
th, td { padding: 6px 10px; border-bottom: 1px solid var(--rule); text-align: left; vertical-align: top; }
th.n, td.n { text-align: right; white-space: nowrap; } thead th { border-bottom: 2px solid var(--soft); }
tbody th { font-weight: 400; }
table.dense { font-size: 13px; } table.dense :is(th, td) { padding: 3px 6px; }
table.dense tbody th { overflow-wrap: anywhere; min-width: 120px; }
tr.joint th, tr.joint td { font-weight: 650; background: var(--panel); }
code { font: 13px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
td code { display: inline-block; min-width: 150px; }
dl { display: grid; grid-template-columns: 150px 1fr; gap: 6px 16px; margin: 12px 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--soft); margin-top: 12px; }
svg.chart { display: block; max-width: 100%; height: auto; overflow: visible; }
svg.chart text { font-size: 13px; fill: var(--ink); font-family: inherit; font-variant-numeric: tabular-nums; }
svg.chart text.label, svg.chart text.value { paint-order: stroke; stroke: var(--page); stroke-width: 4px; }
svg.chart text.tick, svg.chart text.axis-title { fill: var(--soft); } svg.chart text.tick { font-size: 12px; }
.grid { stroke: var(--grid); } .axis { stroke: var(--soft); } .zero { stroke: var(--soft); stroke-width: 1.25; }
.chance { stroke: var(--soft); stroke-dasharray: 2 5; }
.curve { fill: none; stroke-width: 1.5; stroke-linejoin: round; }
.curve.joint { stroke: var(--joint); stroke-width: 3.5; }
.curve.pooled { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 5 4; }
.alone-0 { stroke: var(--a0); } .alone-1 { stroke: var(--a1); stroke-dasharray: 9 3; }
.alone-2 { stroke: var(--a2); stroke-dasharray: 2 3; } .alone-3 { stroke: var(--a3); stroke-dasharray: 9 3 2 3; }
.alone-4 { stroke: var(--a4); stroke-dasharray: 12 4; } .alone-5 { stroke: var(--a5); stroke-dasharray: 4 2; }
.band { stroke: none; opacity: .14; } .curve.thin { stroke-width: 1.5; }
.band.alone-0 { fill: var(--a0); } .band.alone-1 { fill: var(--a1); } .band.alone-2 { fill: var(--a2); }
.band.alone-3 { fill: var(--a3); } .band.alone-4 { fill: var(--a4); } .band.alone-5 { fill: var(--a5); }
svg.chart text.ink-0 { fill: var(--a0); } svg.chart text.ink-1 { fill: var(--a1); }
svg.chart text.ink-2 { fill: var(--a2); } svg.chart text.ink-3 { fill: var(--a3); }
svg.chart text.ink-4 { fill: var(--a4); } svg.chart text.ink-5 { fill: var(--a5); }
.interval { stroke: var(--joint); stroke-width: 2.5; stroke-linecap: round; } .dot { fill: var(--joint); }
.interval.unclear { opacity: .45; } .dot.unclear { fill: var(--page); stroke: var(--joint); stroke-width: 2; }
.ring { fill: none; stroke: var(--ink); stroke-width: 1.25; }
.bar.joint-fill { fill: var(--joint); } .bar.alone-fill { fill: var(--soft); opacity: .6; }
.bar.pooled-fill { fill: var(--page); stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 5 3; }
.halo { stroke: var(--page); stroke-width: 4.5; } .whisker { stroke: var(--ink); stroke-width: 1.5; }
.only-narrow { display: none; }
@media (max-width: 620px) {
  .only-wide { display: none; } .only-narrow { display: block; }
  header { padding-top: 20px; } main, header, footer { padding-left: 14px; padding-right: 14px; }
  h1 { font-size: 22px; } .lead { font-size: 16px; } dl { grid-template-columns: 1fr; gap: 0; } dd { margin: 0 0 8px; }
  th, td { padding: 5px 6px; } table { font-size: 14px; } }
@media print { .only-narrow { display: none; } h2 { break-after: avoid; } figure, tr { break-inside: avoid; } }
"""
