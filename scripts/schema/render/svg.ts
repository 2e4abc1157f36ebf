import { Graphviz } from '@hpcc-js/wasm-graphviz'
import { escapeHtml } from './html.ts'
import type { Box, Drawing, Line } from './drawing.ts'

/**
 * Loads Graphviz, which takes some hundred milliseconds, and returns a function that formats a drawing as an inline
 * `<svg>`. The page determines the colours. Added, changed and removed objects are marked by a word and a CSS class.
 * The same drawing gives the same bytes.
 */
export async function loadDrawer(): Promise<(drawing: Drawing, title: string) => string> {
  const graphviz = await Graphviz.load()
  return (drawing, title) => inlineSvg(graphviz.layout(formatDot(drawing), 'svg', 'dot'), title)
}

function formatDot({ boxes, lines }: Drawing): string {
  // A monospaced font: text in another monospaced font still fits the boxes that Graphviz computed.
  return [
    'digraph {',
    '  graph [rankdir=LR bgcolor=transparent nodesep=0.25 ranksep=0.7]',
    '  node [shape=plaintext fontname=Courier fontsize=11 margin=0]',
    '  edge [dir=both arrowtail=crow arrowhead=none fontname=Courier fontsize=9]',
    ...boxes.map((box, index) => formatNode(box, index)),
    ...lines.map((line) => formatEdge(line, (table) => boxes.findIndex((box) => box.table === table))),
    '}',
  ].join('\n')
}

function formatNode({ table, mark, columns }: Box, index: number): string {
  const head = `<b>${escapeLabel(table)}</b>${mark ? ` (${mark})` : ''}`
  const rows = columns.map(({ type, name, note }) => {
    const cells = [escapeLabel(name), escapeLabel(type), note === '' ? ' ' : `<i>${escapeLabel(note)}</i>`]
    return `<tr>${cells.map((cell) => `<td align="left" border="0">${cell}</td>`).join('')}</tr>`
  })
  const label =
    '<table border="1" cellborder="0" cellspacing="0" cellpadding="4">' +
    `<tr><td colspan="3" align="left"${rows.length > 0 ? ' border="1" sides="b"' : ''}>${head}</td></tr>` +
    `${rows.join('')}</table>`
  return `  t${index} [class="${mark ?? 'plain'}" label=<${label}>]`
}

function formatEdge({ from, to, columns, mark }: Line, indexOf: (table: string) => number): string {
  const label = `${mark ? `${mark}: ` : ''}${columns}`
  return `  t${indexOf(from)} -> t${indexOf(to)} [class="${mark ?? 'plain'}" label=<${escapeLabel(label)}>]`
}

/** Placeholder for a backslash. Graphviz interprets escapes even in HTML labels: `\N` is the name of the node. */
const backslash = '\ue05c'

/**
 * Escapes a text for a label. Replaces characters that XML does not allow, and private-use characters, because the
 * placeholder is one.
 */
const escapeLabel = (value: string): string =>
  escapeHtml(value.replace(/[\p{Cc}\p{Cs}\p{Co}\ufffe\uffff]+/gu, ' ')).replaceAll('\\', backslash)

/** Turns an SVG file into an inline element: removes the header and ids, and adds an accessible name. */
const inlineSvg = (file: string, title: string): string =>
  file
    .slice(file.indexOf('<svg'))
    .replace(/<title>[^<]*<\/title>\n?/g, '')
    .replace(/^<svg width="(\d+)pt" height="(\d+)pt"/, '<svg role="img" width="$1" height="$2"')
    .replace(/<g id="graph0"/, `<title>${escapeHtml(title)}</title>$&`)
    .replace(/<!--[\s\S]*?-->\n?/g, '')
    .replace(/ (?:id|xmlns|xmlns:xlink|font-family|fill|stroke)="[^"]*"/g, '')
    .replaceAll(backslash, '\\')
    .trim()
