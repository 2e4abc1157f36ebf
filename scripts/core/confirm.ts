import process from 'node:process'
import { Failure } from './failure.ts'
import { shellWord } from './make-variables.ts'
import type { Target } from './target.ts'
import { printable } from './text.ts'

/*
 * The one rule for CONFIRM. It holds the name of the database, for `erase-user` the id of the user. Without it a command
 * that destroys or overwrites something shows what it would do and exits with 0. With another value it is refused.
 */

/** @throws Failure when CONFIRM has another value than `expected`, also where a local database needs no confirmation. */
export function isConfirmed(expected: string): boolean {
  const given = process.env['CONFIRM']?.trim() ?? ''
  if (given === '') return false
  if (given === expected) return true
  throw new Failure(
    `CONFIRM is ${printable(given)}, but ${printable(expected)} is expected; nothing was changed`,
    `write CONFIRM=${printable(shellWord(expected))}, or leave CONFIRM out for a preview`,
  )
}

/** For what a local database needs no confirmation for. */
export const isConfirmedOrLocal = ({ database, isLocal }: Target): boolean => isConfirmed(database) || isLocal

/** The last line of a preview. */
export const previewLine = (commandLine: string): string => `preview: nothing was changed; to run it: ${printable(commandLine)}\n`
