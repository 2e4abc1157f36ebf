import process from 'node:process'
import { Failure } from './failure.ts'
import { shellWord } from './make-variables.ts'
import type { Target } from './target.ts'
import { printable } from './text.ts'

/*
 * The rule for CONFIRM, the same in all commands. Its value is the name of the database, for `erase-user` the id of the
 * user. Without it a command that deletes or overwrites data shows a preview and exits with 0. Another value is refused.
 */

/** @throws Failure when CONFIRM has another value than `expected`, even if a local database needs no confirmation. */
export function isConfirmed(expected: string): boolean {
  const given = process.env['CONFIRM']?.trim() ?? ''
  if (given === '') return false
  if (given === expected) return true
  throw new Failure(
    `CONFIRM is ${printable(given)}, but ${printable(expected)} is expected; nothing was changed`,
    `write CONFIRM=${printable(shellWord(expected))}, or leave CONFIRM out for a preview`,
  )
}

/** For commands that need no confirmation on a local database. */
export const isConfirmedOrLocal = ({ database, isLocal }: Target): boolean => isConfirmed(database) || isLocal

/** The last line of a preview. */
export const previewLine = (commandLine: string): string => `preview: nothing was changed; to run it: ${printable(commandLine)}\n`
