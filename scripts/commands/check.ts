import { LeoCommand } from '../core/command.ts'

export const command = new LeoCommand({
  name: 'check',
  summary: 'Fail on stale generated files, type errors, squawk and Supabase advisor findings',
  example: 'check',
  exits: { 1: 'a check failed, or an error' },
}).run(async () => {
  const { check } = await import('../schema/check.ts')
  return check()
})
