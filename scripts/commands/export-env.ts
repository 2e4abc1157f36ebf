import process from 'node:process'
import { LeoCommand } from '../core/command.ts'

export const command = new LeoCommand({
  name: 'export-env',
  summary: 'Print the settings that are not secret as an env file, and the names of the secret ones',
  example: 'export-env',
  reads: ['DATABASE_URL'],
}).run(async () => {
  const { onDatabase } = await import('../migrate/on-database.ts')
  const { writeEnv } = await import('../operate/settings/env-file.ts')
  const { rows } = await onDatabase(['public.deployment_config'], (client) =>
    client.query<{ key: string; value: string | null }>(
      `select key, case when not encrypted then value end as value
       from public.deployment_config
       order by key collate "C"`,
    ),
  )
  const plain = rows.flatMap(({ key, value }) => (value === null ? [] : [[key, value] as const]))
  const secret = rows.filter(({ value }) => value === null).map(({ key }) => `# ${key} is secret\n`)
  process.stdout.write(writeEnv(new Map(plain)) + secret.join(''))
})
