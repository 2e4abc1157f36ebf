import { loadDrawer } from '../render/svg.ts'
import { anchor, escapeHtml, figure, htmlPage, htmlTable, inline } from '../render/html.ts'
import { style } from '../render/style.ts'
import type { Block, Item, Section } from './blocks.ts'
import type { Report } from './report.ts'
import { headline, sectionsOf } from './sections.ts'
import { verdictLabels } from './verdict.ts'

/** Formats a report as one self-contained HTML file without scripts. */
export async function formatHtml(report: Report): Promise<string> {
  const draw = report.drawing === null ? undefined : await loadDrawer()
  const { base, head, leftOut, verdict, reasons } = report
  const sections = sectionsOf(report)
  const svg = report.drawing === null ? '' : draw!(report.drawing, 'The changed tables and their neighbours')
  const body = [
    '<header>',
    '<h1>Schema diff</h1>',
    `<p class="soft"><code>${escapeHtml(base)}</code> → <code>${escapeHtml(head)}</code></p>`,
    `<p><strong class="verdict ${verdict}">${headline(report)}</strong></p>`,
    ...leftOut.map((reason) => `<p><strong class="care">not compared</strong> ${inline(reason)}</p>`),
    ...(reasons.length === 0
      ? []
      : [
          '<ul>',
          ...reasons.map(({ severity, of, why }) => {
            const sign = `<strong class="${severity}">${verdictLabels[severity]}</strong>`
            return `<li>${sign} ${inline(of)}: ${inline(why)}</li>`
          }),
          '</ul>',
        ]),
    '</header>',
    '<nav aria-label="Sections">',
    htmlTable(
      'Sections',
      ['section', 'summary'],
      sections.map(({ title, summary }) => [`<a href="#${anchor(title)}">${escapeHtml(title)}</a>`, inline(summary)]),
    ),
    '</nav>',
    '<main>',
    ...sections.map((section) => formatSection(section, svg)),
    '</main>',
  ].join('\n')
  return htmlPage({ title: `Schema diff: ${headline(report)}`, body, style })
}

const formatSection = ({ title, summary, blocks }: Section, svg: string): string =>
  `<section id="${anchor(title)}">
<h2>${escapeHtml(title)}</h2>
<p class="soft">${inline(summary)}</p>
${blocks.map((block) => formatBlock(block, title, svg)).join('\n')}
</section>`

function formatBlock(block: Block, title: string, svg: string): string {
  switch (block.kind) {
    case 'list':
      return [
        ...(block.title === undefined ? [] : [`<h3>${inline(block.title)}</h3>`]),
        ...['<ul>', ...block.items.map(formatItem), '</ul>'],
      ].join('\n')
    case 'table':
      return htmlTable(title, block.head, block.rows.map((row) => row.map(inline)))
    case 'code':
      return `<pre tabindex="0">${escapeHtml(block.text)}</pre>`
    case 'drawing':
      return figure(svg, title)
  }
}

function formatItem({ text, details = [] }: Item): string {
  const inner = details.map((detail) => `<li>${inline(detail)}</li>`).join('')
  return `<li>${inline(text)}${inner === '' ? '' : `<ul>${inner}</ul>`}</li>`
}
