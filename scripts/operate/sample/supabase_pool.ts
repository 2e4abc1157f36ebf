import type pg from 'pg'

interface Cleanup {
  readonly id: string
  readonly attempt: number
}

/** Creates a pool and allocates the sample apps: two active projects, and one that is draining. */
export async function loadSupabasePool(client: pg.Client): Promise<void> {
  const { rows: apps } = await client.query<{ id: string }>('select id from apps order by app_name, user_id')
  await insertProject(client, 'leosamplesprojectold', 2)
  await allocate(client, apps[0]?.id)
  await client.query(`update supabase_projects set status = 'draining'`)
  await insertProject(client, 'leosamplesprojectone', 4)
  await insertProject(client, 'leosamplesprojecttwo', 4)
  for (const { id } of apps) await allocate(client, id)
}

/** Deletes an app and a token to create clean-ups: one finished, one failed, two pending. */
export async function loadCleanups(client: pg.Client, userId: string, sealedToken: string): Promise<void> {
  const { rows } = await client.query<{ id: string }>(
    `insert into apps (user_id, app_name) values ($1, 'Palette') returning id`,
    [userId],
  )
  const appId = rows[0]?.id
  await client.query(
    `insert into generation_requests (user_id, app_id, prompt, mode, status, github_url, deployment_url)
     values ($1, $2, 'Show all colours that a terminal has', 'autonomous', 'completed', $3, $4)`,
    [userId, appId, 'https://github.com/leo-samples/palette', 'https://palette.fly.dev'],
  )
  await client.query(`insert into user_secrets (user_id, provider, encrypted_token) values ($1, 'gitlab', $2)`, [
    userId,
    sealedToken,
  ])
  await allocate(client, appId)
  await client.query('delete from apps where id = $1', [appId])
  await client.query(`delete from user_secrets where user_id = $1 and provider = 'gitlab'`, [userId])

  const claimed = await client.query<Cleanup>(`select id, attempt from private.claim_cleanups('sample-worker', 2)`)
  const [first, second] = claimed.rows
  await client.query('select private.finish_cleanup($1, $2)', [first?.id, first?.attempt])
  const error = 'Fly answered 503 Service Unavailable.'
  await client.query('select private.fail_cleanup($1, $2, $3)', [second?.id, second?.attempt, error])
}

const insertProject = (client: pg.Client, ref: string, capacity: number): Promise<unknown> =>
  client.query(
    `insert into supabase_projects (ref, pool, region, capacity) values ($1, 'shared', 'eu-central-1', $2)`,
    [ref, capacity],
  )

const allocate = (client: pg.Client, appId: string | undefined): Promise<unknown> =>
  client.query('select private.allocate_supabase_project($1)', [appId])
