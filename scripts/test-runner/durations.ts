import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fromRoot } from '../core/paths.ts'
import type { FileResult, TestFile } from './tap-file.ts'

const file = fromRoot('build', 'test-output', 'durations.json')

function readDurations(): Record<string, number> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>
  } catch {
    // Missing or incomplete: only the order of the files depends on it.
    return {}
  }
}

/** Sorts files by duration, the longest first, so that no processor is idle while a long file runs last. */
export function longestFirst(files: readonly TestFile[]): TestFile[] {
  const durations = readDurations()
  const durationOf = ({ source }: TestFile): number => durations[source] ?? Infinity
  return [...files].sort((a, b) => durationOf(b) - durationOf(a) || (a.source < b.source ? -1 : 1))
}

export function rememberDurations(results: readonly FileResult[]): void {
  const added = Object.fromEntries(results.map(({ milliseconds, source }) => [source, Math.round(milliseconds)]))
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, JSON.stringify({ ...readDurations(), ...added }))
}
