-- What the ledger adds up to per app, user and month. Views, so they are never out of step with it: each sums every row
-- once, corrections and what outlived its generation or app included. They run as their caller, who sees their own rows.
-- A month is one of UTC, whatever the session's time zone.
-- Deliberately absent: what the snapshots of generations older than the ledger tell. In these sums nothing would show
-- which part is history, and a month would no longer be read from an index; generation_costs_by_generation has it.
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

comment on view public.generation_costs_by_app is 'What each app cost, over all of its generations.';
comment on column public.generation_costs_by_app.user_id is 'Whose costs.';
comment on column public.generation_costs_by_app.app_id is 'The app, deleted ones too; null sums what is for no app.';
comment on column public.generation_costs_by_app.entries is 'Rows of the ledger, corrections included.';
comment on column public.generation_costs_by_app.tokens is 'Tokens of all kinds.';
comment on column public.generation_costs_by_app.input_tokens is
  'Tokens read, those from the model''s cache not counted.';
comment on column public.generation_costs_by_app.output_tokens is 'Tokens written.';
comment on column public.generation_costs_by_app.cached_tokens is 'Tokens read from the model''s cache.';
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

comment on view public.generation_costs_by_user is 'What each user cost.';
comment on column public.generation_costs_by_user.user_id is 'Whose costs.';
comment on column public.generation_costs_by_user.entries is 'Rows of the ledger, corrections included.';
comment on column public.generation_costs_by_user.tokens is 'Tokens of all kinds.';
comment on column public.generation_costs_by_user.input_tokens is
  'Tokens read, those from the model''s cache not counted.';
comment on column public.generation_costs_by_user.output_tokens is 'Tokens written.';
comment on column public.generation_costs_by_user.cached_tokens is 'Tokens read from the model''s cache.';
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

comment on view public.generation_costs_by_month is 'What each user cost per month, in UTC.';
comment on column public.generation_costs_by_month.user_id is 'Whose costs.';
comment on column public.generation_costs_by_month.month is 'When the month began, in UTC.';
comment on column public.generation_costs_by_month.entries is 'Rows of the ledger, corrections included.';
comment on column public.generation_costs_by_month.tokens is 'Tokens of all kinds.';
comment on column public.generation_costs_by_month.input_tokens is
  'Tokens read, those from the model''s cache not counted.';
comment on column public.generation_costs_by_month.output_tokens is 'Tokens written.';
comment on column public.generation_costs_by_month.cached_tokens is 'Tokens read from the model''s cache.';
comment on column public.generation_costs_by_month.compute_ms is 'Compute time in milliseconds.';
comment on column public.generation_costs_by_month.cost_micros is 'The cost in micro-dollars.';

revoke all on public.generation_costs_by_month from public, anon, authenticated, service_role;
grant select on public.generation_costs_by_month to authenticated, service_role;

-- migrate:down
set local lock_timeout = '3s';

drop view public.generation_costs_by_month;
drop view public.generation_costs_by_user;
drop view public.generation_costs_by_app;
