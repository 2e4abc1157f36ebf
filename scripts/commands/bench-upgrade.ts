import { runScript } from '../core/child.ts'
import { LeoCommand } from '../core/command.ts'

export const command = new LeoCommand({
  name: 'bench-upgrade',
  summary: 'Measure the upgrade beside a naive one, on a server of its own',
  example: 'bench-upgrade rows=100000',
})
  .option('--rows <numbers>', 'numbers of snapshots from 1000 on, separated by blanks')
  .run<{ rows?: string }>(({ rows }) => runScript('scripts/upgrade/bench/upgrade', rows === undefined ? [] : [`--rows=${rows}`]))
