import type { Item, Section } from './items.ts'

/** A rule for doc comments. */
interface Rule {
  /** The finding for an item that breaks the rule. */
  readonly message: string
  readonly isBroken: (item: Item) => boolean
}

/** The accepted ways to state who may call a function. */
const callers = /\b[Ff]or (the |its |their |a |every )*(users?|services?|workers?|API|login|tests?)\b|\b[Aa]nybody may\b/

const isFunction = ({ kind }: Item): boolean => kind === 'function'

const rules: readonly Rule[] = [
  {
    message: 'has no doc comment that begins with a sentence',
    isBroken: ({ comment }) => !/^[A-Z`].*[.:]/s.test(comment?.summary ?? ''),
  },
  {
    message: 'does not say who may call it (`For users, inside `asUser`.` `For services.` `Anybody may call it.`)',
    isBroken: (item) => isFunction(item) && !callers.test(item.comment?.summary ?? ''),
  },
  {
    message: 'has neither a `@returns` that describes the result, including absence, nor a `@throws {NotFoundError}`',
    isBroken: ({ result, comment }) =>
      result === 'value' && !comment?.returns && !comment?.throws.some(({ name }) => name === 'NotFoundError'),
  },
  { message: 'has no `@example`', isBroken: (item) => isFunction(item) && !item.comment?.examples.length },
  {
    message: 'has a `@throws` without the class in braces',
    isBroken: ({ comment }) => comment?.throws.some(({ name }) => name === '') ?? false,
  },
]

/** The findings for all doc comments, one line each. Generated types are skipped: their comments are in the database. */
export const findings = (sections: readonly Section[]): string[] =>
  sections
    .flatMap(({ items }) => items)
    .filter(({ location }) => !location.startsWith('types/db.ts'))
    .flatMap((item) => {
      const broken = rules.filter(({ isBroken }) => isBroken(item))
      return broken.map(({ message }) => `${item.location} ${item.name} ${message}`)
    })
