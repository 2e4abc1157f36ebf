import process from 'node:process'
import { orFailure, withClient } from '../core/connect.ts'
import { main } from '../core/failure.ts'
import { writeEnv } from '../operate/settings/env-file.ts'
import { resolveTarget } from '../postgres/resolve-target.ts'

/** `make export-env > .env`: the settings that are not secret, as an env file, with the names of those that are. */
await main(async () => {
  const target = await resolveTarget()
  const { rows } = await withClient(target, (client) =>
    orFailure(target, () =>
      client.query<{ key: string; value: string | null }>(
        `select key, case when not encrypted then value end as value
         from public.deployment_config
         order by key collate "C"`,
      ),
    ),
  )
  const plain = rows.flatMap(({ key, value }) => (value === null ? [] : [[key, value] as const]))
  const secret = rows.filter(({ value }) => value === null).map(({ key }) => `# ${key} is secret\n`)
  process.stdout.write(writeEnv(new Map(plain)) + secret.join(''))
})
