-- Creates the sums of the ledger per app, user, month (UTC), iteration and generation. Views, so they are always current;
-- they run as their caller, who sees their own rows. Each counts every row once, corrections and rows of deleted
-- generations and apps included.
-- Locks: none. Undo: drops the views.

-- migrate:up
set local lock_timeout = '3s';

create view public.generation_costs_by_app with (security_invoker = true) as
select
  user_id,
  app_id,
  count(*) as entries,
  sum(input_tokens + output_tokens + cached_tokens)::bigint as tokens,
  sum(input_tokens)::bigint as input_tokens,
  sum(output_tokens)::bigint as output_tokens,
  sum(cached_tokens)::bigint as cached_tokens,
  sum(compute_ms)::bigint as compute_ms,
  sum(cost_micros)::bigint as cost_micros
from public.generation_costs
group by user_id, app_id;

comment on view public.generation_costs_by_app is 'The costs of each app, over all of its generations.';
comment on column public.generation_costs_by_app.user_id is 'The user.';
comment on column public.generation_costs_by_app.app_id is 'The app, also a deleted one; null: costs for no app.';
comment on column public.generation_costs_by_app.entries is 'The number of rows in the ledger, with corrections.';
comment on column public.generation_costs_by_app.tokens is 'Input, output and cached tokens.';
comment on column public.generation_costs_by_app.input_tokens is
  'Input tokens, without cached tokens.';
comment on column public.generation_costs_by_app.output_tokens is 'Output tokens.';
comment on column public.generation_costs_by_app.cached_tokens is 'Input tokens from the model''s cache.';
comment on column public.generation_costs_by_app.compute_ms is 'Compute time in milliseconds.';
comment on column public.generation_costs_by_app.cost_micros is 'The cost in micro-dollars.';

revoke all on public.generation_costs_by_app from public, anon, authenticated, service_role;
grant select on public.generation_costs_by_app to authenticated, service_role;

create view public.generation_costs_by_user with (security_invoker = true) as
select
  user_id,
  count(*) as entries,
  sum(input_tokens + output_tokens + cached_tokens)::bigint as tokens,
  sum(input_tokens)::bigint as input_tokens,
  sum(output_tokens)::bigint as output_tokens,
  sum(cached_tokens)::bigint as cached_tokens,
  sum(compute_ms)::bigint as compute_ms,
  sum(cost_micros)::bigint as cost_micros
from public.generation_costs
group by user_id;

comment on view public.generation_costs_by_user is 'The costs of each user.';
comment on column public.generation_costs_by_user.user_id is 'The user.';
comment on column public.generation_costs_by_user.entries is 'The number of rows in the ledger, with corrections.';
comment on column public.generation_costs_by_user.tokens is 'Input, output and cached tokens.';
comment on column public.generation_costs_by_user.input_tokens is
  'Input tokens, without cached tokens.';
comment on column public.generation_costs_by_user.output_tokens is 'Output tokens.';
comment on column public.generation_costs_by_user.cached_tokens is 'Input tokens from the model''s cache.';
comment on column public.generation_costs_by_user.compute_ms is 'Compute time in milliseconds.';
comment on column public.generation_costs_by_user.cost_micros is 'The cost in micro-dollars.';

revoke all on public.generation_costs_by_user from public, anon, authenticated, service_role;
grant select on public.generation_costs_by_user to authenticated, service_role;

create view public.generation_costs_by_month with (security_invoker = true) as
select
  user_id,
  month,
  count(*) as entries,
  sum(input_tokens + output_tokens + cached_tokens)::bigint as tokens,
  sum(input_tokens)::bigint as input_tokens,
  sum(output_tokens)::bigint as output_tokens,
  sum(cached_tokens)::bigint as cached_tokens,
  sum(compute_ms)::bigint as compute_ms,
  sum(cost_micros)::bigint as cost_micros
from public.generation_costs
group by user_id, month;

comment on view public.generation_costs_by_month is 'The costs of each user per month, in UTC.';
comment on column public.generation_costs_by_month.user_id is 'The user.';
comment on column public.generation_costs_by_month.month is 'The start of the month, in UTC.';
comment on column public.generation_costs_by_month.entries is 'The number of rows in the ledger, with corrections.';
comment on column public.generation_costs_by_month.tokens is 'Input, output and cached tokens.';
comment on column public.generation_costs_by_month.input_tokens is
  'Input tokens, without cached tokens.';
comment on column public.generation_costs_by_month.output_tokens is 'Output tokens.';
comment on column public.generation_costs_by_month.cached_tokens is 'Input tokens from the model''s cache.';
comment on column public.generation_costs_by_month.compute_ms is 'Compute time in milliseconds.';
comment on column public.generation_costs_by_month.cost_micros is 'The cost in micro-dollars.';

revoke all on public.generation_costs_by_month from public, anon, authenticated, service_role;
grant select on public.generation_costs_by_month to authenticated, service_role;

-- Generations from before the ledger have no rows in it. Here, and by generation, the metadata of their snapshots gives
-- tokens and duration, with the source `snapshots` and a cost of 0; one row in the ledger replaces that. The other views
-- leave it out, because a sum per month could no longer be read from an index.
-- Metadata is unchecked: a value counts if it is a whole number from 0 to 10^12, and is otherwise ignored; a duration
-- without a unit counts as milliseconds; of several snapshots of an iteration the largest counts.
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
  max(usage.tokens),
  null,
  null,
  null,
  max(usage.compute_ms),
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
) as usage (tokens, compute_ms)
where (usage.tokens is not null or usage.compute_ms is not null)
  and not exists (
    select from public.generation_costs as c
    where c.user_id = s.user_id and c.generation_request_id = s.generation_request_id
  )
group by s.user_id, r.app_id, s.generation_request_id, s.iteration_number;

comment on view public.generation_costs_by_iteration is 'The costs of each iteration; for generations from before the ledger, the usage in their snapshots.';
comment on column public.generation_costs_by_iteration.user_id is 'The user.';
comment on column public.generation_costs_by_iteration.app_id is
  'The app, also a deleted one; null: costs for no app.';
comment on column public.generation_costs_by_iteration.generation_request_id is
  'The generation; null: costs for none, and of deleted generations.';
comment on column public.generation_costs_by_iteration.iteration_number is
  'The iteration; null: costs for the whole generation.';
comment on column public.generation_costs_by_iteration.source is
  '''ledger'', or ''snapshots'' if the ledger has no row of the generation and the metadata of its snapshots is used.';
comment on column public.generation_costs_by_iteration.entries is
  'The number of rows in the ledger, with corrections; 0 if the source is snapshots.';
comment on column public.generation_costs_by_iteration.tokens is 'Input, output and cached tokens; null if no snapshot has them.';
comment on column public.generation_costs_by_iteration.input_tokens is
  'Input tokens, without cached tokens; null if only the sum is known.';
comment on column public.generation_costs_by_iteration.output_tokens is
  'Output tokens; null if only the sum is known.';
comment on column public.generation_costs_by_iteration.cached_tokens is
  'Input tokens from the model''s cache; null if only the sum is known.';
comment on column public.generation_costs_by_iteration.compute_ms is
  'Compute time in milliseconds; null if no snapshot has it.';
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

comment on view public.generation_costs_by_generation is 'The costs of each generation; for those from before the ledger, the usage in their snapshots.';
comment on column public.generation_costs_by_generation.user_id is 'The user.';
comment on column public.generation_costs_by_generation.app_id is
  'The app, also a deleted one; null: costs for no app.';
comment on column public.generation_costs_by_generation.generation_request_id is
  'The generation; null: costs for none, and of deleted generations.';
comment on column public.generation_costs_by_generation.source is
  '''ledger'', or ''snapshots'' if the ledger has no row of the generation and the metadata of its snapshots is used.';
comment on column public.generation_costs_by_generation.entries is
  'The number of rows in the ledger, with corrections; 0 if the source is snapshots.';
comment on column public.generation_costs_by_generation.tokens is 'Input, output and cached tokens; null if no snapshot has them.';
comment on column public.generation_costs_by_generation.input_tokens is
  'Input tokens, without cached tokens; null if only the sum is known.';
comment on column public.generation_costs_by_generation.output_tokens is
  'Output tokens; null if only the sum is known.';
comment on column public.generation_costs_by_generation.cached_tokens is
  'Input tokens from the model''s cache; null if only the sum is known.';
comment on column public.generation_costs_by_generation.compute_ms is
  'Compute time in milliseconds; null if no snapshot has it.';
comment on column public.generation_costs_by_generation.cost_micros is 'The cost in micro-dollars.';

revoke all on public.generation_costs_by_generation from public, anon, authenticated, service_role;
grant select on public.generation_costs_by_generation to authenticated, service_role;

-- migrate:down
set local lock_timeout = '3s';

drop view public.generation_costs_by_generation;
drop view public.generation_costs_by_iteration;
drop view public.generation_costs_by_month;
drop view public.generation_costs_by_user;
drop view public.generation_costs_by_app;
