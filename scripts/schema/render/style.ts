/** The stylesheet of all pages, with rules for print, small screens and dark mode. */
export const style = `
:root {
  color-scheme: light dark;
  --text: #1c2024; --soft: #545b63; --line: #d6dade; --paper: #fff; --shade: #f5f6f8; --link: #0b57a4;
  --added: #1a6b35; --changed: #8a5300; --removed: #a8232b; --renamed: #5b4bb5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #e6e8ea; --soft: #a8afb7; --line: #3a4048; --paper: #16191d; --shade: #1f2329; --link: #7db8f5;
    --added: #6fcf8b; --changed: #e5b35c; --removed: #ff8f92; --renamed: #b3a6ff;
  }
}
* { box-sizing: border-box }
html { scroll-padding-top: 5.5rem }
body {
  margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 76rem; color: var(--text); background: var(--paper);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; overflow-wrap: break-word;
}
h1, h2, h3 { line-height: 1.25; margin: 2.2rem 0 .6rem }
h1 { font-size: 1.7rem; margin-top: 0 }
h2 { font-size: 1.3rem; padding-top: .8rem; border-top: 1px solid var(--line) }
h3 { font-size: 1.1rem; margin-top: 1.4rem }
h4 { font-size: .95rem; margin: 1rem 0 .2rem }
[data-entry] > h3 { margin-top: 2.4rem; padding-top: 1rem; border-top: 1px solid var(--line) }
a { color: var(--link) }
p, ul { margin: .5rem 0 }
ul { padding-left: 1.3rem }
code, pre { font: .88em/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
pre { margin: .5rem 0; padding: .7rem .9rem; overflow-x: auto; background: var(--shade); border-radius: 6px }
.soft { color: var(--soft) }
.wide { overflow-x: auto; margin: .5rem 0 }
.wide:focus-visible, pre:focus-visible { outline: 2px solid var(--link); outline-offset: 2px }
table { border-collapse: collapse; width: 100%; font-size: .92em }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0; border-bottom: 1px solid var(--line) }
thead th { color: var(--soft); font-weight: 600; white-space: nowrap }
tbody th { font-weight: 600 }
nav h2 { font-size: 1rem; margin: 1.4rem 0 .4rem; padding: 0; border: 0 }
nav ul { list-style: none; padding: 0; columns: 15rem auto; column-gap: 2rem }
nav li { break-inside: avoid }
.verdict { display: inline-block; padding: .1rem .7rem; border: 2px solid currentColor; border-radius: 999px; font-weight: 600 }
.additive { color: var(--added) } .care { color: var(--changed) } .breaking, .destructive { color: var(--removed) }
.picture svg { display: block; height: auto }
.picture text { fill: currentColor; font-family: "Courier New", "Liberation Mono", Courier, monospace; stroke: none }
.picture path, .picture polygon, .picture polyline, .picture ellipse { stroke: var(--soft); fill: none }
.picture .added { color: var(--added) } .picture .added :is(path, polygon, polyline) { stroke: var(--added) }
.picture .changed { color: var(--changed) } .picture .changed :is(path, polygon, polyline) { stroke: var(--changed) }
.picture .removed { color: var(--removed) } .picture .removed :is(path, polygon, polyline) { stroke: var(--removed); stroke-dasharray: 4 }
.picture .renamed { color: var(--renamed) } .picture .renamed :is(path, polygon, polyline) { stroke: var(--renamed) }
.search { position: sticky; top: 0; padding: .6rem 0; background: var(--paper); z-index: 1 }
.search input {
  width: 100%; padding: .5rem .7rem; font: inherit; color: inherit; background: var(--shade);
  border: 1px solid var(--soft); border-radius: 6px;
}
summary { cursor: pointer }
@media (max-width: 44rem) { .wide table { min-width: 40rem } }
[hidden] { display: none }
@media print { .search, nav { display: none } body { max-width: none } .wide { overflow: visible } section { break-inside: avoid-page } }
`
