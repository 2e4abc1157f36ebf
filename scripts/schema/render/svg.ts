import { Graphviz } from '@hpcc-js/wasm-graphviz'
import { escapeHtml } from './html.ts'
import type { Box, Drawing, Line } from './drawing.ts'

/**
 * Loads what lays a drawing out, some hundred milliseconds, and gives a function that draws: an inline `<svg>` in the
 * colours of the page around it, the same bytes for the same drawing. Marks are words and classes.
 */
export async function loadDrawer(): Promise<(drawing: Drawing, title: string) => string> {
  const graphviz = await Graphviz.load()
  return (drawing, title) => inPage(graphviz.layout(inDot(drawing), 'svg', 'dot'), title)
}

function inDot({ boxes, lines }: Drawing): string {
  // Letters of one width: a page that has another font than was reckoned with still fits the boxes.
  return [
    'digraph {',
    '  graph [rankdir=LR bgcolor=transparent nodesep=0.25 ranksep=0.7]',
    '  node [shape=plaintext fontname=Courier fontsize=11 margin=0]',
    '  edge [dir=both arrowtail=crow arrowhead=none fontname=Courier fontsize=9]',
    ...boxes.map((box, at) => inNode(box, at)),
    ...lines.map((line) => inEdge(line, (table) => boxes.findIndex((box) => box.table === table))),
    '}',
  ].join('\n')
}

function inNode({ table, mark, columns }: Box, at: number): string {
  const head = `<b>${text(table)}</b>${mark ? ` (${mark})` : ''}`
  const rows = columns.map(({ type, name, note }) => {
    const cells = [text(name), text(type), note === '' ? ' ' : `<i>${text(note)}</i>`]
    return `<tr>${cells.map((cell) => `<td align="left" border="0">${cell}</td>`).join('')}</tr>`
  })
  const label =
    '<table border="1" cellborder="0" cellspacing="0" cellpadding="4">' +
    `<tr><td colspan="3" align="left"${rows.length > 0 ? ' border="1" sides="b"' : ''}>${head}</td></tr>` +
    `${rows.join('')}</table>`
  return `  t${at} [class="${mark ?? 'plain'}" label=<${label}>]`
}

function inEdge({ from, to, columns, mark }: Line, at: (table: string) => number): string {
  const label = `${mark ? `${mark}: ` : ''}${columns}`
  return `  t${at(from)} -> t${at(to)} [class="${mark ?? 'plain'}" label=<${text(label)}>]`
}

/** Stands for a backslash, which begins an escape for Graphviz even in HTML: `\N` would be the node's name. */
const backslash = '\ue05c'

/** What XML cannot hold is not drawn. */
const text = (value: string): string =>
  escapeHtml(value.replace(/[\p{Cc}\p{Cs}\p{Co}\ufffe\uffff]+/gu, ' ')).replaceAll('\\', backslash)

/** Without what belongs to a file of its own, and with a name for those who do not see it. */
const inPage = (file: string, title: string): string =>
  file
    .slice(file.indexOf('<svg'))
    .replace(/<title>[^<]*<\/title>\n?/g, '')
    .replace(/^<svg width="(\d+)pt" height="(\d+)pt"/, '<svg role="img" width="$1" height="$2"')
    .replace(/<g id="graph0"/, `<title>${escapeHtml(title)}</title>$&`)
    .replace(/<!--[\s\S]*?-->\n?/g, '')
    .replace(/ (?:id|xmlns|xmlns:xlink|font-family|fill|stroke)="[^"]*"/g, '')
    .replaceAll(backslash, '\\')
    .trim()
