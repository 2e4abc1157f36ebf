import type { Item, Section } from './items.ts'

/** A rule for doc comments: what it says of an item that breaks it. */
interface Rule {
  readonly complaint: string
  readonly isBroken: (item: Item) => boolean
}

/** Who may call it, in one of the ways in which this package says it. */
const callers = /\b[Ff]or (the |its |their |a |every )*(users?|services?|workers?|API|login|tests?)\b|\b[Aa]nybody may\b/

const isFunction = ({ kind }: Item): boolean => kind === 'function'

const rules: readonly Rule[] = [
  {
    complaint: 'has no doc comment that begins with a sentence',
    isBroken: ({ comment }) => !/^[A-Z`].*[.:]/s.test(comment?.summary ?? ''),
  },
  {
    complaint: 'does not say who may call it (`For users, inside `asUser`.` `For services.` `Anybody may call it.`)',
    isBroken: (item) => isFunction(item) && !callers.test(item.comment?.summary ?? ''),
  },
  {
    complaint: 'says neither by `@returns` what it answers, absence included, nor that it throws a NotFoundError',
    isBroken: ({ answer, comment }) =>
      answer === 'value' && !comment?.returns && !comment?.throws.some(({ name }) => name === 'NotFoundError'),
  },
  { complaint: 'has no `@example`', isBroken: (item) => isFunction(item) && !item.comment?.examples.length },
  {
    complaint: 'has a `@throws` without the class in braces',
    isBroken: ({ comment }) => comment?.throws.some(({ name }) => name === '') ?? false,
  },
]

/** What is missing in the doc comments, a line each. Types that are generated from the database have theirs there. */
export const findings = (sections: readonly Section[]): string[] =>
  sections
    .flatMap(({ items }) => items)
    .filter(({ place }) => !place.startsWith('types/db.ts'))
    .flatMap((item) => {
      const broken = rules.filter(({ isBroken }) => isBroken(item))
      return broken.map(({ complaint }) => `${item.place} ${item.name} ${complaint}`)
    })
