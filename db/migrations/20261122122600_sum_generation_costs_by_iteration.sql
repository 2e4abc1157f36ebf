-- What the ledger adds up to per iteration and generation. Generations that are older than the ledger have no row in it;
-- for them speaks what their snapshots' metadata says of tokens and duration: as history, marked so, at a cost of 0, so
-- that the sums of money are the ledger's to the last micro-dollar. One row of the ledger, and it alone speaks.
-- Metadata is anything that old writers put there. A value counts where it is a whole number from 0 to 10^12 (a strict
-- path sees no number in a string, an array or an object, and is silent about it); all else is as if it were not there.
-- A duration without a unit is taken for milliseconds. An iteration that was saved more than once says its numbers more
-- than once: the largest counts.
-- Locks: none. Undo: drops the views.

-- migrate:up
set local lock_timeout = '3s';

create view public.generation_costs_by_iteration with (security_invoker = true) as
select
  user_id,
  app_id,
  generation_request_id,
  iteration_number,
  'ledger' as source,
  count(*) as entries,
  sum(input_tokens + output_tokens + cached_tokens)::bigint as tokens,
  sum(input_tokens)::bigint as input_tokens,
  sum(output_tokens)::bigint as output_tokens,
  sum(cached_tokens)::bigint as cached_tokens,
  sum(compute_ms)::bigint as compute_ms,
  sum(cost_micros)::bigint as cost_micros
from public.generation_costs
group by user_id, app_id, generation_request_id, iteration_number
union all
select
  s.user_id,
  r.app_id,
  s.generation_request_id,
  s.iteration_number,
  'snapshots',
  0,
  max(said.tokens),
  null,
  null,
  null,
  max(said.compute_ms),
  0
from public.iteration_snapshots as s
join public.generation_requests as r on r.user_id = s.user_id and r.id = s.generation_request_id
cross join lateral (
  select
    jsonb_path_query_first(s.metadata, 'strict $.tokens ? (@ >= 0 && @ <= 1000000000000 && @ == @.floor())', silent => true)::bigint,
    coalesce(
      jsonb_path_query_first(s.metadata, 'strict $.duration_ms ? (@ >= 0 && @ <= 1000000000000 && @ == @.floor())', silent => true),
      jsonb_path_query_first(s.metadata, 'strict $.duration ? (@ >= 0 && @ <= 1000000000000 && @ == @.floor())', silent => true)
    )::bigint
) as said (tokens, compute_ms)
where (said.tokens is not null or said.compute_ms is not null)
  and not exists (
    select from public.generation_costs as c
    where c.user_id = s.user_id and c.generation_request_id = s.generation_request_id
  )
group by s.user_id, r.app_id, s.generation_request_id, s.iteration_number;

comment on view public.generation_costs_by_iteration is 'What each iteration cost, and for generations older than the ledger what their snapshots tell.';
comment on column public.generation_costs_by_iteration.user_id is 'Whose costs.';
comment on column public.generation_costs_by_iteration.app_id is
  'The app, deleted ones too; null sums what is for no app.';
comment on column public.generation_costs_by_iteration.generation_request_id is
  'The generation; null sums what is for none, and what was for one that has been deleted.';
comment on column public.generation_costs_by_iteration.iteration_number is
  'The iteration; null sums what is for the generation as a whole.';
comment on column public.generation_costs_by_iteration.source is
  '''ledger'', or ''snapshots'' where the ledger has nothing of the generation and its snapshots'' metadata speaks.';
comment on column public.generation_costs_by_iteration.entries is
  'Rows of the ledger, corrections included; 0 where the source is snapshots.';
comment on column public.generation_costs_by_iteration.tokens is 'Tokens of all kinds; null where no snapshot says.';
comment on column public.generation_costs_by_iteration.input_tokens is
  'Tokens read, those from the model''s cache not counted; null where only the sum is known.';
comment on column public.generation_costs_by_iteration.output_tokens is
  'Tokens written; null where only the sum is known.';
comment on column public.generation_costs_by_iteration.cached_tokens is
  'Tokens read from the model''s cache; null where only the sum is known.';
comment on column public.generation_costs_by_iteration.compute_ms is
  'Compute time in milliseconds; null where no snapshot says.';
comment on column public.generation_costs_by_iteration.cost_micros is 'The cost in micro-dollars.';

revoke all on public.generation_costs_by_iteration from public, anon, authenticated, service_role;
grant select on public.generation_costs_by_iteration to authenticated, service_role;

create view public.generation_costs_by_generation with (security_invoker = true) as
select
  user_id,
  app_id,
  generation_request_id,
  source,
  sum(entries)::bigint as entries,
  sum(tokens)::bigint as tokens,
  sum(input_tokens)::bigint as input_tokens,
  sum(output_tokens)::bigint as output_tokens,
  sum(cached_tokens)::bigint as cached_tokens,
  sum(compute_ms)::bigint as compute_ms,
  sum(cost_micros)::bigint as cost_micros
from public.generation_costs_by_iteration
group by user_id, app_id, generation_request_id, source;

comment on view public.generation_costs_by_generation is 'What each generation cost, and of those older than the ledger what their snapshots tell.';
comment on column public.generation_costs_by_generation.user_id is 'Whose costs.';
comment on column public.generation_costs_by_generation.app_id is
  'The app, deleted ones too; null sums what is for no app.';
comment on column public.generation_costs_by_generation.generation_request_id is
  'The generation; null sums what is for none, and what was for one that has been deleted.';
comment on column public.generation_costs_by_generation.source is
  '''ledger'', or ''snapshots'' where the ledger has nothing of the generation and its snapshots'' metadata speaks.';
comment on column public.generation_costs_by_generation.entries is
  'Rows of the ledger, corrections included; 0 where the source is snapshots.';
comment on column public.generation_costs_by_generation.tokens is 'Tokens of all kinds; null where no snapshot says.';
comment on column public.generation_costs_by_generation.input_tokens is
  'Tokens read, those from the model''s cache not counted; null where only the sum is known.';
comment on column public.generation_costs_by_generation.output_tokens is
  'Tokens written; null where only the sum is known.';
comment on column public.generation_costs_by_generation.cached_tokens is
  'Tokens read from the model''s cache; null where only the sum is known.';
comment on column public.generation_costs_by_generation.compute_ms is
  'Compute time in milliseconds; null where no snapshot says.';
comment on column public.generation_costs_by_generation.cost_micros is 'The cost in micro-dollars.';

revoke all on public.generation_costs_by_generation from public, anon, authenticated, service_role;
grant select on public.generation_costs_by_generation to authenticated, service_role;

-- migrate:down
set local lock_timeout = '3s';

drop view public.generation_costs_by_generation;
drop view public.generation_costs_by_iteration;
