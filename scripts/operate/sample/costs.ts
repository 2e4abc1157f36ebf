import type pg from 'pg'
import { become } from './become.ts'

/**
 * Inserts the costs of the samples as a worker does: tokens and compute time of each iteration, a deployment of each
 * completed generation, storage of one app, and one correction. "Type generator" stands for an app that is older than the
 * ledger, so it has snapshots and no costs.
 */
export async function loadCosts(client: pg.Client, userIds: readonly string[]): Promise<void> {
  await become(client, 'service_role')
  await client.query(
    `insert into generation_costs
       (user_id, generation_request_id, iteration_number, kind, model, input_tokens, output_tokens, cached_tokens, compute_ms,
        cost_micros, idempotency_key)
     select s.user_id, s.generation_request_id, s.iteration_number, c.kind, c.model, c.input, c.output, c.cached, c.ms,
            c.input * 3 + c.output * 15 + c.cached * 3 / 10 + c.ms / 50,
            format('%s/%s/%s', s.generation_request_id, s.iteration_number, c.kind)
     from iteration_snapshots as s
     join generation_requests as r on r.user_id = s.user_id and r.id = s.generation_request_id
     cross join lateral (select (s.metadata -> 'tokens')::bigint, (s.metadata -> 'duration_ms')::bigint) as measured (tokens, ms)
     cross join lateral (
       values
         ('tokens'::cost_kind, 'sample-model-1', tokens * 3 / 10, tokens * 2 / 10, tokens * 5 / 10, 0),
         ('compute', null, 0, 0, 0, ms)
     ) as c (kind, model, input, output, cached, ms)
     where s.user_id = any ($1) and r.app_name <> 'Type generator'
     order by s.id, c.kind`,
    [userIds],
  )
  await client.query(
    `insert into generation_costs (user_id, generation_request_id, kind, cost_micros, idempotency_key)
     select user_id, id, 'deployment', 20000, format('%s/deployment', id)
     from generation_requests
     where user_id = any ($1) and status = 'completed' and app_name <> 'Type generator'
     order by id`,
    [userIds],
  )
  await client.query(
    `insert into generation_costs (user_id, app_id, kind, cost_micros, idempotency_key)
     select user_id, id, 'storage', 1500, format('%s/storage', id) from apps
     where user_id = any ($1) and app_name = 'Connection pool'`,
    [userIds],
  )
  await client.query(
    `insert into generation_costs (user_id, corrects_id, kind, cost_micros, idempotency_key)
     select user_id, id, kind, -cost_micros, format('%s/refund', idempotency_key) from generation_costs
     where user_id = any ($1) and kind = 'deployment'
     order by id
     limit 1`,
    [userIds],
  )
}
