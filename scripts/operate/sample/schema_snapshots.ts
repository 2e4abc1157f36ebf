import type pg from 'pg'
import { become } from './become.ts'

/** Inserts the tables of the first generation of "Loading spinner": one table, then another column and table. */
export async function loadSchemaSnapshots(client: pg.Client, userIds: readonly string[]): Promise<void> {
  const id = { name: 'id', type: 'uuid', nullable: false, default: 'gen_random_uuid()' }
  const name = { name: 'name', type: 'text', nullable: false }
  const interval = { name: 'interval_ms', type: 'integer', nullable: true }
  const snapshots = [
    {
      tables: { spinners: { columns: [id, name] } },
      ddl: 'create table spinners (id uuid primary key default gen_random_uuid(), name text not null);',
    },
    {
      tables: { spinners: { columns: [id, name, interval] }, frames: { columns: [id, name] } },
      ddl:
        'create table spinners (id uuid primary key default gen_random_uuid(), name text not null, interval_ms integer);\n' +
        'create table frames (id uuid primary key default gen_random_uuid(), name text not null);',
    },
  ]
  await become(client, 'service_role')
  for (const [index, { tables, ddl }] of snapshots.entries()) {
    await client.query(
      `insert into schema_snapshots (user_id, generation_request_id, iteration_number, tables, ddl)
       select user_id, id, $2, $3, $4 from generation_requests
       where user_id = any ($1) and app_name = 'Loading spinner' and generation_type = 'new'`,
      [userIds, index + 1, tables, ddl],
    )
  }
}
