import { compile, entries } from './program.ts'
import type { Comment, Named } from './comment.ts'
import { sectionsOf } from './items.ts'
import type { Item, Section } from './items.ts'

/** Renders docs/api.md: every export of the package with its doc comment. */
export function apiPage(): string {
  const all = entries()
  const sections = sectionsOf(compile(all.map(({ file }) => file)), all)
  return `${preamble}\n${contents(sections)}\n${sections.map(sectionText).join('\n')}`
}

const preamble = `\
<!-- Generated from the doc comments by \`make api\`. Do not edit. -->
# The package, export by export

In the examples, which run as tests, \`db\` is what \`createClient\` returns, \`serviceDb\` that of \`createServiceClient\`,
\`trx\` the transaction that \`asUser\` hands over, \`lease\` what \`queue.claim\` returned, and \`userId\`, \`appId\` and so on
are parsed ids. What \`leo-saas-schema/errors\` and \`leo-saas-schema/types\` export can be had from \`leo-saas-schema\`, too.
`

/** The anchor that GitHub generates for a heading. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-')

function contents(sections: readonly Section[]): string {
  const used = new Map<string, number>()
  const link = (label: string, heading: string): string => {
    const name = anchor(heading)
    const times = used.get(name) ?? 0
    used.set(name, times + 1)
    return `[${label}](#${name}${times === 0 ? '' : `-${times}`})`
  }
  const lines = sections.map(({ title, items }) => {
    const section = link(`**${title}**`, title)
    return `- ${section}: ${items.map(({ name }) => link(name.replace(`${title}.`, ''), name)).join(', ')}`
  })
  return `${lines.join('\n')}\n`
}

function sectionText({ title, comment, items }: Section): string {
  const introduction = comment === undefined ? '' : `${comment.summary}\n\n`
  return `## ${title}\n\n${introduction}${items.map(itemText).join('\n')}`
}

function itemText({ name, signature, comment }: Item): string {
  const parts = [`### ${name}`, code(signature), ...(comment === undefined ? [] : commentParts(comment))]
  return `${parts.join('\n\n')}\n`
}

function commentParts({ summary, params, returns, throws, remarks, examples }: Comment): string[] {
  const facts = [
    ...params.map(({ name, text }) => `- \`${name}\`: ${text}`),
    ...(returns === undefined ? [] : [`- **Returns** ${returns}`]),
    ...throws.map(thrown),
  ]
  const texts = [summary, facts.join('\n'), remarks ?? ''].filter((text) => text !== '')
  return [...texts, ...examples.map(code)]
}

const thrown = ({ name, text }: Named): string => `- **Throws** ${name === '' ? text : `\`${name}\`${text && ` ${text}`}`}`

const code = (text: string): string => `\`\`\`ts\n${text}\n\`\`\``
