import type pg from 'pg'

/**
 * Creates a configuration history: a region that changes, and a token that is first stored unencrypted and then sealed,
 * so that its unencrypted value is redacted. Runs as service_role, acting for an operator.
 */
export async function loadConfigChanges(client: pg.Client, operatorId: string, sealed: string): Promise<void> {
  await client.query(`select set_config('leo.acting_user', $1, true)`, [operatorId])
  await client.query(`update deployment_config set value = 'fra' where key = 'fly.region'`)
  await client.query(`
    insert into deployment_config (key, value, description)
    values ('fly.api_token', 'FlyV1 sample-in-plain', 'Deploys to the organization of the samples.')`)
  await client.query(`update deployment_config set value = $1, encrypted = true where key = 'fly.api_token'`, [sealed])
  await client.query(`select set_config('leo.acting_user', '', true)`)
}
