import { formatMermaid } from '../render/mermaid.ts'
import type { Failure } from '../../core/failure.ts'
import type { Block, Section } from './blocks.ts'
import type { Report } from './report.ts'
import { headline, sectionsOf } from './sections.ts'

/** The first line of every report: a workflow finds its earlier comment by it. */
export const marker = '<!-- leo-saas-schema: schema diff -->'

/** GitHub limits a comment to 65,536 characters. Counted in bytes, of which there are at least as many. */
export const maxBytes = 65_000

const signs = { additive: '🟢', care: '🟡', breaking: '🔴', destructive: '🔴' } as const
const reasonsShown = 20

/**
 * Formats a report for a pull request comment or a job summary. Every section is in the summary table; its details follow
 * only while they fit into `limit` bytes.
 */
export function formatMarkdown(report: Report, limit = maxBytes): string {
  const { base, head, leftOut, verdict, reasons } = report
  const sections = sectionsOf(report)
  const omitted = reasons.length - reasonsShown
  const top = [
    marker,
    `## ${signs[verdict]} Schema: ${headline(report)}`,
    '',
    `${escape(base)} → ${escape(head)}`,
    '',
    ...leftOut.flatMap((reason) => [`${signs.care} ${escape(reason)}`, '']),
    ...reasons
      .slice(0, reasonsShown)
      .map(({ severity, of, why }) => `- ${signs[severity]} ${escape(truncate(`${of}: ${why}`))}`),
    ...(omitted > 0 ? [`- and ${omitted} more`] : []),
    '',
    '| | |',
    '|---|---|',
    ...sections.map(({ title, summary }) => `| **${escape(title)}** | ${escape(summary)} |`),
    '',
  ].join('\n')
  const note = `\nThe report is too long for a comment. \`make diff\` shows all of it.\n`
  let text = top
  let isCut = false
  for (const section of sections.filter(({ blocks }) => blocks.length > 0)) {
    const part = formatSection(section)
    const fits = Buffer.byteLength(text) + Buffer.byteLength(part) + Buffer.byteLength(note) <= limit
    if (fits) text += part
    else isCut = true
  }
  return isCut ? text + note : text
}

/** Formats a failure in place of a report, so that it replaces the comment of an earlier run. */
export const formatFailure = ({ message, remedy }: Failure): string =>
  `${marker}\n## 🔴 Schema: no report\n\n${escape(truncate(message))}\n\n→ ${escape(truncate(remedy))}\n`

const formatSection = ({ title, blocks }: Section): string =>
  `\n<details${title === 'Access' || title === 'Changes' ? ' open' : ''}><summary>${escape(title)}</summary>\n\n` +
  `${blocks.map(formatBlock).join('\n\n')}\n\n</details>\n`

function formatBlock(block: Block): string {
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
      return fenced('mermaid', formatMermaid(block.drawing))
  }
}

function fenced(language: string, text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}${language}\n${text}\n${fence}`
}

/**
 * Escapes a text that may contain names chosen in a pull request: they must not mention users, create links or be HTML.
 * Code spans need no escaping, except for the table separator.
 */
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

const truncate = (text: string): string => (text.length > 500 ? `${text.slice(0, 500)}…` : text)
