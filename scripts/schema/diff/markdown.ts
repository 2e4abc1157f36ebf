import { inMermaid } from '../render/mermaid.ts'
import type { Failure } from '../../core/failure.ts'
import type { Block, Section } from './blocks.ts'
import type { Report } from './report.ts'
import { headline, sectionsOf } from './sections.ts'

/** By this line a workflow finds its comment again. */
export const marker = '<!-- leo-saas-schema: schema diff -->'

/** GitHub takes 65,536 characters. Counted in bytes, which are never fewer. */
export const most = 65_000

const signs = { additive: '🟢', care: '🟡', breaking: '🔴', destructive: '🔴' } as const
const reasonsShown = 20

/** For a comment or a job's summary: sections as long as there is room, then their summaries alone. */
export function inMarkdown(report: Report, room = most): string {
  const { base, head, leftOut, verdict, reasons } = report
  const sections = sectionsOf(report)
  const left = reasons.length - reasonsShown
  const top = [
    marker,
    `## ${signs[verdict]} Schema: ${headline(report)}`,
    '',
    `${escape(base)} → ${escape(head)}`,
    '',
    ...leftOut.flatMap((what) => [`${signs.care} ${escape(what)}`, '']),
    ...reasons
      .slice(0, reasonsShown)
      .map(({ severity, of, why }) => `- ${signs[severity]} ${escape(cut(`${of}: ${why}`))}`),
    ...(left > 0 ? [`- and ${left} more`] : []),
    '',
    '| | |',
    '|---|---|',
    ...sections.map(({ title, summary }) => `| **${escape(title)}** | ${escape(summary)} |`),
    '',
  ].join('\n')
  const note = `\nThe rest is too long for a comment: \`make diff\` shows all of it.\n`
  let text = top
  let isCut = false
  for (const section of sections.filter(({ blocks }) => blocks.length > 0)) {
    const part = inPart(section)
    const fits = Buffer.byteLength(text) + Buffer.byteLength(part) + Buffer.byteLength(note) <= room
    if (fits) text += part
    else isCut = true
  }
  return isCut ? text + note : text
}

/** In the place of a report that there is none of, so that an old one does not stay. */
export const failureInMarkdown = ({ message, remedy }: Failure): string =>
  `${marker}\n## 🔴 Schema: no report\n\n${escape(cut(message))}\n\n→ ${escape(cut(remedy))}\n`

const inPart = ({ title, blocks }: Section): string =>
  `\n<details${title === 'Access' || title === 'What changes' ? ' open' : ''}><summary>${escape(title)}</summary>\n\n` +
  `${blocks.map(inBlock).join('\n\n')}\n\n</details>\n`

function inBlock(block: Block): string {
  switch (block.kind) {
    case 'list':
      return [
        ...(block.title === undefined ? [] : [`**${escape(block.title)}**`, '']),
        ...block.items.flatMap(({ text, details = [] }) => [
          `- ${escape(text)}`,
          ...details.map((detail) => `  - ${escape(detail)}`),
        ]),
      ].join('\n')
    case 'table':
      return [block.head, block.head.map(() => '---'), ...block.rows.map((row) => row.map(escape))]
        .map((row) => `| ${row.join(' | ')} |`)
        .join('\n')
    case 'code':
      return fenced(block.language, block.text)
    case 'drawing':
      return fenced('mermaid', inMermaid(block.drawing))
  }
}

function fenced(language: string, text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}${language}\n${text}\n${fence}`
}

/** A name is whatever a pull request says: it may not call people, link, or be HTML. In a code span nothing does. */
const escape = (text: string): string =>
  text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .split(/(`[^`]+`)/)
    .map((part, at) => (at % 2 === 1 ? part.replaceAll('|', '\\|') : escapePlain(part)))
    .join('')

const escapePlain = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/[\\`*_{}[\]()#+!|~-]/g, '\\$&')
    .replace(/@|:\/\/|www\.|#/g, '$&\u200b')

const cut = (text: string): string => (text.length > 500 ? `${text.slice(0, 500)}…` : text)
