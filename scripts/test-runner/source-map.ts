import { existsSync, readFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { fromRoot, root } from '../core/paths.ts'

/** Replaces positions in compiled files, such as in stacks, by positions in the sources: `test/client/errors.test.ts:12:3`. */
export const toSources = (text: string): string =>
  text
    .replaceAll(`file://${root}/`, '')
    .replaceAll(`${root}/`, '')
    .replace(/\b(build\/[\w./-]+\.js):(\d+)(?::(\d+))?/g, (place, file: string, line: string, column = '1') =>
      sourceOf(file, Number(line), Number(column)) ?? place,
    )

function sourceOf(file: string, line: number, column: number): string | undefined {
  const map = fromRoot(`${file}.map`)
  if (!existsSync(map)) return undefined
  const entry = new SourceMap(JSON.parse(readFileSync(map, 'utf8'))).findEntry(line - 1, column - 1)
  if (!('originalLine' in entry)) return undefined
  return `${file.replace(/^build\//, '').replace(/js$/, 'ts')}:${entry.originalLine + 1}:${entry.originalColumn + 1}`
}
