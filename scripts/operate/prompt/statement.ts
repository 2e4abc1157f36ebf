/** Quoted text and comments, each closed or up to the end of the text. */
const opaque = /'(?:[^']|'')*('|$)|"[^"]*("|$)|(\$[A-Za-z_\d]*\$)[\s\S]*?(\3|$)|--[^\n]*(\n|$)|\/\*[\s\S]*?(\*\/|$)/g

/** Whether the text ends with a semicolon that is not inside quotes or a comment. */
export function isComplete(text: string): boolean {
  let isOpen = false
  const rest = text.replace(opaque, (part: string, ...ends: (string | undefined)[]) => {
    const isComment = part.startsWith('--') || part.startsWith('/*')
    const [single, double, tag, closing, , star] = ends
    isOpen ||= !part.startsWith('--') && !single && !double && !(tag && closing) && !star
    return isComment ? ' ' : 'x'
  })
  return !isOpen && rest.trimEnd().endsWith(';')
}
