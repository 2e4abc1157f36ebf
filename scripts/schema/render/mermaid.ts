import type { Drawing } from './drawing.ts'

/** Formats a drawing as a Mermaid `erDiagram`. Marks are words, because some renderers do not show colours. */
export const formatMermaid = ({ boxes, lines }: Drawing): string =>
  [
    'erDiagram',
    ...boxes.flatMap(({ table, mark, columns }) => {
      const box = `  ${entity(table)}["${text(table)}${mark ? ` (${mark})` : ''}"]`
      const attributes = columns.map(({ type, name, note }) => `    ${word(type)} ${word(name)} "${text(note)}"`)
      return columns.length === 0 ? [box] : [`${box} {`, ...attributes, '  }']
    }),
    ...lines.map(
      ({ from, to, columns, mark }) =>
        `  ${entity(to)} ||--o{ ${entity(from)} : "${mark ? `${mark}: ` : ''}${text(columns)}"`,
    ),
  ].join('\n')

const entity = (table: string): string => table.replace(/\W/g, '_')

/** Column names and types cannot be quoted, and `PK`, `FK` and `UK` are keywords anywhere in a column. */
export const word = (name: string): string =>
  name.replace(/[^\w[\]]/g, '_').replace(/^(?=\d)/, '_').replace(/^[pfu]k$/i, '$&_')

export const text = (value: string): string => value.replaceAll('"', "'").replace(/[\r\n]+/g, ' ')
