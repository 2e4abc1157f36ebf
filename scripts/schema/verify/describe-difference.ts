/** Separates a statement into clauses and lines. */
const clause =
  /,?\s*\n\s*| (?=(?:AS|FOR|TO|USING|WITH|WHERE|INCLUDE|BEFORE|AFTER|ON|WHEN|EXECUTE|REFERENCES|CHECK)\b)/

/** Describes in one line the clauses in which two texts differ. */
export function describeDifference(wanted: string, found: string): string {
  if (wanted === '') return `should be absent, is ${short(found)}`
  if (found === '') return `should be ${short(wanted)}, is absent`
  const [should, does] = [wanted.split(clause), found.split(clause)]
  const only = (these: string[], those: string[]): string =>
    these.filter((one) => !those.includes(one)).join(' ').trim()
  const [lacks, has] = [only(should, does), only(does, should)]
  if (lacks === '' && has === '') return 'is in another order'
  if (has === '') return `lacks ${short(lacks)}`
  if (lacks === '') return `has besides ${short(has)}`
  const from = beginning(lacks, has)
  return `should be ${short(lacks, from)}, is ${short(has, from)}`
}

/** The offset of some words before the first difference of two long texts; 0 if the difference is near the start. */
function beginning(one: string, other: string): number {
  const at = [...one].findIndex((letter, i) => letter !== other[i])
  return at < longest / 2 ? 0 : one.lastIndexOf(' ', at - longest / 6) + 1
}

const longest = 120

export function short(text: string, from = 0): string {
  const line = (from > 0 ? '…' : '') + text.slice(from).replace(/\s*\n\s*/g, ' ').trim()
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line
}
