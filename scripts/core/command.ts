import process from 'node:process'
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { Failure } from './failure.ts'
import { shellWord } from './make-variables.ts'
import { printable } from './text.ts'

export { Argument, Option }

/** The environment variables that commands read. With make they can also be set on the command line. */
export const settings = {
  DATABASE_URL: 'the URL of the database; default: the embedded database',
  CONFIRM: 'the name of the database (erase-user: the id of the user); without it only a preview is shown',
  BASE: 'the side to compare with: a git ref, or DATABASE_URL; default: origin/main',
  HEAD: 'the side to compare: a git ref, or DATABASE_URL; default: the work tree',
  KMS_SEAL_WITH: 'the key that seals: the ARN of an accepted key, or an alias of it',
  KMS_ACCEPT: 'the ARNs of all keys whose secrets can be opened, separated by commas',
  NODE_ENV: 'development or test allows the development key on a local database',
} as const

export type Setting = keyof typeof settings

export const groups = ['Everyone', 'Developers', 'DBA'] as const

export interface Declaration {
  readonly name: string
  readonly summary: string
  /** The example, without the leading `make`. */
  readonly example: string
  /** Exit codes other than 0 (done) and 1 (error), or other meanings of these. */
  readonly exits?: Readonly<Record<number, string>>
  readonly reads?: readonly Setting[]
  /** The exit code for an unknown option or an invalid value. */
  readonly usageExitCode?: number
}

export interface Invocation {
  readonly args: readonly string[]
  /** The same command as a command line of make, with these variables changed. */
  readonly makeLine: (changes?: Readonly<Record<string, string | undefined>>) => string
}

/** A command of `leo`. It declares its options, and imports its modules only when it runs. */
export class LeoCommand extends Command {
  readonly reads: readonly Setting[]
  readonly usageExitCode: number
  /** The example, without the leading `make`. */
  readonly example: string
  /** The exit code of the last run. */
  exitCode = 0

  constructor({ name, summary, example, exits = {}, reads = [], usageExitCode = 1 }: Declaration) {
    super(name)
    this.reads = reads
    this.usageExitCode = usageExitCode
    this.example = example
    this.description(summary)
      .helpOption('-h, --help', 'show this help')
      .allowExcessArguments(false)
      .exitOverride()
      // The caller turns an error into a `Failure`, which is printed once, as one line.
      .configureOutput({ outputError: () => undefined })
      .addHelpText('after', () => this.#helpAfter({ 0: 'done', 1: 'error', ...exits }))
  }

  flag(name: string, text: string): this {
    return this.option(`--${name}`, text)
  }

  /** @param body returns the exit code; without one the exit code is 0. */
  run<T extends object = object>(body: (options: T, invocation: Invocation) => Promise<number | void>): this {
    return this.action(async () => {
      const makeLine = (changes = {}) => this.#makeLine(changes)
      this.exitCode = (await body(this.opts<T>(), { args: this.processedArgs.flat(), makeLine })) ?? 0
    })
  }

  /**
   * Converts variables of make to options: `dry=1` to `--dry`, `time_zone=UTC` to `--time-zone=UTC`. Variables that the
   * command reads from the environment are set there.
   */
  acceptVariables(variables: ReadonlyMap<string, string>): string[] {
    const args: string[] = []
    for (const [name, value] of variables) {
      if (this.reads.includes(name as Setting)) {
        process.env[name] = value
        continue
      }
      if (name === 'help' && this.#isTrue(name, value)) return ['--help']
      const option = this.options.find((each) => variableOf(each) === name)
      if (!option) throw this.#usageFailure(`unknown option ${printable(name)}`, `make ${this.name()} takes ${this.#variables()}`)
      if (option.isBoolean()) {
        if (this.#isTrue(name, value)) args.push(option.long!)
      } else if (value !== '') {
        args.push(`${option.long}=${value}`)
      }
    }
    return args
  }

  #isTrue(name: string, value: string): boolean {
    if (['1', 'true', 'yes'].includes(value)) return true
    if (['', '0', 'false', 'no'].includes(value)) return false
    throw this.#usageFailure(`${name}=${printable(value)} is invalid`, `write ${name}=1 or ${name}=0`)
  }

  #variables(): string {
    return [...this.options.map(variableOf), ...this.reads, 'help'].join(', ')
  }

  #makeLine(changes: Readonly<Record<string, string | undefined>>): string {
    const given = this.options.flatMap((option) => {
      const value: unknown = this.getOptionValue(option.attributeName())
      const isGiven = this.getOptionValueSource(option.attributeName()) === 'cli'
      return isGiven ? [[variableOf(option), value === true ? '1' : String(value)] as const] : []
    })
    const values = Object.entries({ ...Object.fromEntries(given), ...changes })
    const words = values.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${shellWord(value)}`]))
    return ['make', this.name(), ...words].join(' ')
  }

  /** @param isFromMake whether options are to be named as make's variables. */
  explain(error: CommanderError, isFromMake: boolean): Failure {
    const message = printable(error.message.replace(/^error: /, '').replace(/\.$/, ''))
    const nameOf = (option: string): string => (isFromMake ? option.replaceAll('-', '_') : `--${option}`)
    const help = isFromMake ? `make ${this.name()} help=1` : `npx tsx scripts/leo.ts ${this.name()} --help`
    const [, option, value, allowed] = /^option '--([a-z-]+)[^']*' argument '(.*)' is invalid\. (.*)$/.exec(message) ?? []
    if (option !== undefined) {
      const remedy = String(allowed).replace('Allowed choices are', 'it is one of')
      return this.#usageFailure(`${nameOf(option)}=${value} is invalid`, remedy)
    }
    const [, argument, choices] = /^command-argument value '(.*)' is invalid .* Allowed choices are (.*)$/.exec(message) ?? []
    if (argument !== undefined) return this.#usageFailure(`${argument} is invalid`, `it is one of ${choices}`)
    const [, missing] = /^required option '--([a-z-]+)/.exec(message) ?? []
    if (missing !== undefined) {
      const example = isFromMake ? `make ${this.example}` : this.#withoutMake(this.example)
      return this.#usageFailure(`${nameOf(missing)} is missing`, `as an example: ${example}`)
    }
    const [, problem, hint] = /^(.*?)(?: \((Did you mean .*)\))?$/.exec(message) ?? []
    return this.#usageFailure(String(problem).replaceAll("'", ''), [hint, `see \`${help}\``].filter(Boolean).join(' '))
  }

  #usageFailure(message: string, remedy: string): Failure {
    return new Failure(message, remedy, { exitCode: this.usageExitCode })
  }

  #helpAfter(exits: Readonly<Record<number, string>>): string {
    const width = Math.max(...this.reads.map((name) => name.length))
    const environment = this.reads.map((name) => `  ${name.padEnd(width)}  ${settings[name]}`)
    return [
      '',
      ...(environment.length === 0 ? [] : ['Environment:', ...environment, '']),
      'Example:',
      `  make ${this.example}`,
      `  ${this.#withoutMake(this.example)}`,
      '',
      'Exit codes:',
      ...Object.entries(exits).map(([code, meaning]) => `  ${code.padEnd(3)}  ${meaning}`),
    ].join('\n')
  }

  #withoutMake(example: string): string {
    const [name, ...variables] = example.split(' ')
    const [environment, args]: [string[], string[]] = [[], []]
    for (const variable of variables) {
      const [key = '', ...rest] = variable.split('=')
      const option = this.options.find((each) => variableOf(each) === key)
      if (!option) environment.push(variable)
      else args.push(option.isBoolean() ? option.long! : `${option.long}=${rest.join('=')}`)
    }
    return [...environment, 'npx tsx scripts/leo.ts', name, ...args].join(' ')
  }
}

const variableOf = (option: Option): string => option.name().replaceAll('-', '_')

/** Returns a parser for an option whose value is a whole number in this range. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (/^\d+$/.test(text) && number >= least && number <= most) return number
    throw new InvalidArgumentError(`write a whole number from ${least} to ${most}`)
  }
}

/** Returns a parser for an option whose value matches this pattern. */
export function matching(pattern: RegExp, form: string): (text: string) => string {
  return (text) => {
    if (pattern.test(text)) return text
    throw new InvalidArgumentError(form)
  }
}
