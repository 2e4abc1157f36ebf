import type { readMatrix } from '../diff/cells.ts'
import type { Catalog, CatalogObject, Kind } from '../catalog/model.ts'
import { anchor, escapeHtml, htmlTable } from '../render/html.ts'

export interface Known {
  readonly catalog: Catalog
  /** What is part of it, in the catalog's order. */
  readonly parts: (id: string, kind: Kind) => CatalogObject[]
  readonly matrix: ReturnType<typeof readMatrix>
}

/** What the search finds or hides. */
export const entry = (title: string, body: readonly string[]): string =>
  [
    `<section id="${anchor(title)}" data-entry>`,
    `<h3>${escapeHtml(title)}</h3>`,
    ...body.filter((part) => part !== ''),
    '</section>',
  ].join('\n')

export const code = (text: string | undefined): string => (text === undefined ? '' : `<code>${escapeHtml(text)}</code>`)
export const said = (text: string | undefined): string => escapeHtml(text ?? '')

/** Without the columns in which nothing stands, and without rows nothing. */
export function subtable(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ''
  const used = head.flatMap((_, at) => (rows.some((row) => row[at] !== '') ? [at] : []))
  const [titles, ...cells] = [head, ...rows].map((row) => used.map((at) => row[at]!))
  return `<h4>${escapeHtml(title)}</h4>\n${htmlTable(title, titles!, cells)}`
}
