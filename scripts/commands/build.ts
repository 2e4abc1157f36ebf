import { rm } from 'node:fs/promises'
import process from 'node:process'
import { runProgram } from '../core/child.ts'
import { LeoCommand } from '../core/command.ts'
import { fromRoot } from '../core/paths.ts'

export const command = new LeoCommand({
  name: 'build',
  summary: 'Compile the package into dist/',
  example: 'build',
}).run(build)

export async function build(): Promise<number> {
  await rm(fromRoot('dist'), { recursive: true, force: true })
  return runProgram(process.execPath, [fromRoot('node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json'])
}
