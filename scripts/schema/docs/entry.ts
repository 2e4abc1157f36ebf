import type { readMatrix } from '../diff/access-matrix.ts'
import type { Catalog, CatalogObject, Kind } from '../catalog/model.ts'
import { anchor, escapeHtml, htmlTable } from '../render/html.ts'

/** What the sections of the page are rendered from. */
export interface RenderContext {
  readonly catalog: Catalog
  /** The parts of this kind of an object, in the catalog's order. */
  readonly parts: (id: string, kind: Kind) => CatalogObject[]
  readonly matrix: ReturnType<typeof readMatrix>
}

/** A section that the search of the page shows or hides as a whole. */
export const entry = (title: string, body: readonly string[]): string =>
  [
    `<section id="${anchor(title)}" data-entry>`,
    `<h3>${escapeHtml(title)}</h3>`,
    ...body.filter((part) => part !== ''),
    '</section>',
  ].join('\n')

export const code = (text: string | undefined): string => (text === undefined ? '' : `<code>${escapeHtml(text)}</code>`)
export const plain = (text: string | undefined): string => escapeHtml(text ?? '')

/** A titled table without its empty columns; an empty string when there are no rows. */
export function subtable(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ''
  const used = head.flatMap((_, at) => (rows.some((row) => row[at] !== '') ? [at] : []))
  const [titles, ...cells] = [head, ...rows].map((row) => used.map((at) => row[at]!))
  return `<h4>${escapeHtml(title)}</h4>\n${htmlTable(title, titles!, cells)}`
}
