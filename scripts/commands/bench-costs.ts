import { runScript } from '../core/child.ts'
import { LeoCommand } from '../core/command.ts'

export const command = new LeoCommand({
  name: 'bench-costs',
  summary: "Time a user's sums per month in a ledger of a million rows, on a server of its own",
  example: 'bench-costs',
}).run(() => runScript('scripts/bench/costs', []))
