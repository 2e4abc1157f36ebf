import { runProgram } from '../core/child.ts'
import { LeoCommand } from '../core/command.ts'
import { build } from './build.ts'

export const command = new LeoCommand({
  name: 'package',
  summary: 'Pack the query package into leo-saas-schema-<version>.tgz',
  example: 'package',
}).run(async () => (await build()) || runProgram('npm', ['pack']))
