-- What several tables say of an iteration they say of one that a generation can have: 0 to its max_iterations. A foreign
-- key cannot say that, for an iteration has no row of its own. Looked at when a row arrives; a limit that is lowered
-- later makes nothing untrue that has happened.
-- A generation that is not there, or is another user's, is left to the foreign key, which is checked last.
-- Locks: none. Undo: drops the function.

-- migrate:up
set local lock_timeout = '3s';

insert into private.error_codes (code, name, meaning)
values ('LEO17', 'unknown_iteration', 'the generation has no such iteration, or no generation is named');

create function private.tg__refuse_unknown_iteration()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_max_iterations integer;
begin
  select r.max_iterations into v_max_iterations
  from public.generation_requests as r
  where r.user_id = new.user_id and r.id = new.generation_request_id;

  if new.generation_request_id is null or new.iteration_number > v_max_iterations then
    raise exception using
      errcode = 'LEO17',
      message = format('generation %s has no iteration %s', new.generation_request_id, new.iteration_number),
      schema = tg_table_schema, table = tg_table_name, column = 'iteration_number';
  end if;

  return new;
end
$$;

comment on function private.tg__refuse_unknown_iteration() is
  'Trigger: raises LEO17 for an iteration beyond the max_iterations of its generation, or of no generation.';

-- migrate:down
set local lock_timeout = '3s';

drop function private.tg__refuse_unknown_iteration();
delete from private.error_codes where code = 'LEO17';
