import type { Drawing } from '../render/drawing.ts'

/**
 * One section of a report, independent of the output format. Texts can contain arbitrary object names, so each format
 * escapes them.
 */
export interface Section {
  readonly title: string
  /** One line, shown in the overview. */
  readonly summary: string
  readonly blocks: readonly Block[]
}

export type Block =
  | { readonly kind: 'list'; readonly title?: string; readonly items: readonly Item[] }
  | { readonly kind: 'table'; readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] }
  | { readonly kind: 'code'; readonly language: 'diff'; readonly text: string }
  | { readonly kind: 'drawing'; readonly drawing: Drawing }

export interface Item {
  readonly text: string
  readonly details?: readonly string[]
}

export const list = (items: readonly (string | Item)[], title?: string): Block[] =>
  items.length === 0
    ? []
    : [{
        kind: 'list',
        ...(title === undefined ? {} : { title }),
        items: items.map((item) => (typeof item === 'string' ? { text: item } : item)),
      }]

export const table = (head: readonly string[], rows: readonly (readonly string[])[]): Block[] =>
  rows.length === 0 ? [] : [{ kind: 'table', head, rows }]
