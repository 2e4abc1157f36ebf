import { styleText } from 'node:util'
import { formatMermaid } from '../render/mermaid.ts'
import type { Severity } from '../catalog/model.ts'
import type { Block, Section } from './blocks.ts'
import type { Report } from './report.ts'
import { headline, sectionsOf } from './sections.ts'
import { verdictLabels } from './verdict.ts'
import { printable } from '../../core/text.ts'

const colours = { additive: 'green', care: 'yellow', breaking: 'red', destructive: 'red' } as const

/** Formats a report for a terminal. */
export function formatText(report: Report, isColoured: boolean): string {
  const paint = (severity: Severity, text: string) => (isColoured ? styleText(colours[severity], text) : text)
  const { base, head, leftOut, verdict, reasons } = report
  return [
    `${printable(base)} → ${printable(head)}`,
    ...leftOut.map((reason) => paint('care', printable(reason))),
    '',
    paint(verdict, headline(report)),
    ...reasons.map(({ severity, of, why }) => {
      return `  ${paint(severity, verdictLabels[severity].padEnd(11))}  ${printable(`${of}: ${why}`)}`
    }),
    ...sectionsOf(report).flatMap((section) => ['', ...sectionLines(section)]),
    '',
  ].join('\n')
}

const sectionLines = ({ title, summary, blocks }: Section): string[] => [
  `${title}: ${printable(summary)}`,
  ...blocks.flatMap(blockLines),
]

function blockLines(block: Block): string[] {
  switch (block.kind) {
    case 'list': {
      const indent = block.title === undefined ? '  ' : '    '
      return [
        ...(block.title === undefined ? [] : [`  ${printable(block.title)}`]),
        ...block.items.flatMap(({ text, details = [] }) => [
          `${indent}${printable(text)}`,
          ...details.map((detail) => `${indent}    ${printable(detail)}`),
        ]),
      ]
    }
    case 'table': {
      const rows = [block.head, ...block.rows].map((row) => row.map(printable))
      const widths = block.head.map((_, at) => Math.min(60, Math.max(...rows.map((row) => row[at]!.length))))
      return rows.map((row) => `  ${row.map((cell, at) => cell.padEnd(widths[at]!)).join('  ')}`.trimEnd())
    }
    case 'code':
      return indented(block.text)
    case 'drawing':
      return indented(formatMermaid(block.drawing))
  }
}

const indented = (text: string): string[] => text.split('\n').map((line) => `    ${printable(line)}`)
