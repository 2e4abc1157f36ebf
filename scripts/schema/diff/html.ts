import { loadDrawer } from '../render/svg.ts'
import { anchor, escapeHtml, figure, htmlTable, inline, inPage } from '../render/html.ts'
import { style } from '../render/style.ts'
import type { Block, Item, Section } from './blocks.ts'
import type { Report } from './report.ts'
import { headline, sectionsOf, verdicts } from './sections.ts'

/** For a browser: one file, with everything in it and nothing that runs. */
export async function inHtml(report: Report): Promise<string> {
  const draw = report.drawing === null ? undefined : await loadDrawer()
  const { base, head, leftOut, verdict, reasons } = report
  const sections = sectionsOf(report)
  const svg = report.drawing === null ? '' : draw!(report.drawing, 'The tables touched and their neighbours')
  const body = [
    '<header>',
    '<h1>Schema diff</h1>',
    `<p class="soft"><code>${escapeHtml(base)}</code> → <code>${escapeHtml(head)}</code></p>`,
    `<p><strong class="verdict ${verdict}">${headline(report)}</strong></p>`,
    ...leftOut.map((what) => `<p><strong class="care">left out</strong> ${inline(what)}</p>`),
    ...(reasons.length === 0
      ? []
      : [
          '<ul>',
          ...reasons.map(({ severity, of, why }) => {
            const sign = `<strong class="${severity}">${verdicts[severity]}</strong>`
            return `<li>${sign} ${inline(of)}: ${inline(why)}</li>`
          }),
          '</ul>',
        ]),
    '</header>',
    '<nav aria-label="Sections">',
    htmlTable(
      'Sections',
      ['section', 'in short'],
      sections.map(({ title, summary }) => [`<a href="#${anchor(title)}">${escapeHtml(title)}</a>`, inline(summary)]),
    ),
    '</nav>',
    '<main>',
    ...sections.map((section) => inSection(section, svg)),
    '</main>',
  ].join('\n')
  return inPage({ title: `Schema diff: ${headline(report)}`, body, style })
}

const inSection = ({ title, summary, blocks }: Section, svg: string): string =>
  `<section id="${anchor(title)}">
<h2>${escapeHtml(title)}</h2>
<p class="soft">${inline(summary)}</p>
${blocks.map((block) => inBlock(block, title, svg)).join('\n')}
</section>`

function inBlock(block: Block, title: string, svg: string): string {
  switch (block.kind) {
    case 'list':
      return [
        ...(block.title === undefined ? [] : [`<h3>${inline(block.title)}</h3>`]),
        ...['<ul>', ...block.items.map(inItem), '</ul>'],
      ].join('\n')
    case 'table':
      return htmlTable(title, block.head, block.rows.map((row) => row.map(inline)))
    case 'code':
      return `<pre tabindex="0">${escapeHtml(block.text)}</pre>`
    case 'drawing':
      return figure(svg, title)
  }
}

function inItem({ text, details = [] }: Item): string {
  const inner = details.map((detail) => `<li>${inline(detail)}</li>`).join('')
  return `<li>${inline(text)}${inner === '' ? '' : `<ul>${inner}</ul>`}</li>`
}
