/** A parsed doc comment. Its texts are Markdown. */
export interface Comment {
  readonly summary: string
  readonly params: readonly Named[]
  readonly returns: string | undefined
  /** The error classes: `ConstraintError`. */
  readonly throws: readonly Named[]
  readonly examples: readonly string[]
  readonly remarks: string | undefined
}

export interface Named {
  readonly name: string
  readonly text: string
}

const supportedTags = ['param', 'returns', 'throws', 'example', 'remarks']

/**
 * Parses a doc comment. The compiler's parser is not used: it loses the indentation of examples.
 *
 * @param text the comment including its delimiters.
 */
export function parseComment(text: string): Comment {
  const lines = text
    .replace(/^\/\*\*/, '')
    .replace(/\*\/$/, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
  const blocks: { tag: string; lines: string[] }[] = [{ tag: 'summary', lines: [] }]
  for (const line of lines) {
    const [, tag, rest] = /^@(\w+)\s?(.*)$/.exec(line) ?? []
    if (tag !== undefined && supportedTags.includes(tag)) blocks.push({ tag, lines: [rest!] })
    else blocks.at(-1)!.lines.push(line)
  }
  const linesOf = (tag: string): string[][] => blocks.filter((block) => block.tag === tag).map(({ lines }) => lines)
  const all = (tag: string): string[] => linesOf(tag).map(prose)
  return {
    summary: all('summary')[0]!,
    params: all('param').map((text) => named(text, /^(\S+)\s*(.*)$/s)),
    returns: all('returns')[0],
    throws: all('throws').map((text) => named(text, /^\{(\w+)\}\s*(.*)$/s)),
    examples: linesOf('example').map((lines) => lines.join('\n').trim()),
    remarks: all('remarks')[0],
  }
}

/** Joins the lines of each paragraph. */
const prose = (lines: readonly string[]): string =>
  lines
    .join('\n')
    .trim()
    .split(/\n\n+/)
    .map((paragraph) => paragraph.replaceAll(/\n\s*/g, ' ').trim())
    .join('\n\n')

function named(text: string, form: RegExp): Named {
  const [, name, rest] = form.exec(text) ?? []
  return name === undefined ? { name: '', text } : { name, text: rest!.replace(/^- /, '') }
}
