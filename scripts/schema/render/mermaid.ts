import type { Drawing } from './drawing.ts'

/** A Mermaid `erDiagram`, with marks in words, for colours are not drawn everywhere. */
export const inMermaid = ({ boxes, lines }: Drawing): string =>
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
const word = (name: string): string =>
  name.replace(/[^\w[\]]/g, '_').replace(/^(?=\d)/, '_').replace(/^[pfu]k$/i, '$&_')
const text = (value: string): string => value.replaceAll('"', "'").replace(/[\r\n]+/g, ' ')
