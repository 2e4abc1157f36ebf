-- What a cost is for: the app is the generation's, and a correction is for what the corrected row is for, even when its
-- generation or app has been deleted since. Left out, it is filled in; said otherwise, it is refused, not overwritten.
-- A generation or a row to correct that is not there is left to the foreign keys, which are checked last.
-- Locks: SHARE ROW EXCLUSIVE for an instant. Undo: drops the triggers.

-- migrate:up
set local lock_timeout = '3s';

insert into private.error_codes (code, name, meaning)
values
  ('LEO18', 'unknown_app', 'the app is not the one of the generation, or not an app of the user'),
  ('LEO19', 'correction_differs', 'a correction is for the same app, generation, iteration, kind and model as what it corrects');

create function private.tg_generation_costs__attribute()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_app_id uuid;
  v_corrected public.generation_costs;
begin
  if new.corrects_id is not null then
    select c.* into v_corrected
    from public.generation_costs as c
    where c.user_id = new.user_id and c.id = new.corrects_id;

    if not found then
      return new;
    end if;

    new.app_id := coalesce(new.app_id, v_corrected.app_id);
    new.generation_request_id := coalesce(new.generation_request_id, v_corrected.generation_request_id);
    new.iteration_number := coalesce(new.iteration_number, v_corrected.iteration_number);
    new.kind := coalesce(new.kind, v_corrected.kind);
    new.model := coalesce(new.model, v_corrected.model);

    if (new.app_id, new.generation_request_id, new.iteration_number, new.kind, new.model) is distinct from (
      v_corrected.app_id, v_corrected.generation_request_id, v_corrected.iteration_number, v_corrected.kind, v_corrected.model
    ) then
      raise exception using
        errcode = 'LEO19',
        message = format('the correction is not for what row %s is for', new.corrects_id),
        hint = 'Leave app, generation, iteration and model out.',
        schema = tg_table_schema, table = tg_table_name, column = 'corrects_id';
    end if;

    return new;
  end if;

  if new.generation_request_id is not null then
    select r.app_id into v_app_id
    from public.generation_requests as r
    where r.user_id = new.user_id and r.id = new.generation_request_id;

    if not found then
      return new;
    end if;

    new.app_id := coalesce(new.app_id, v_app_id);
  else
    select a.id into v_app_id
    from public.apps as a
    where a.user_id = new.user_id and a.id = new.app_id;
  end if;

  if new.app_id is distinct from v_app_id then
    raise exception using
      errcode = 'LEO18',
      message = format('a cost of this generation or user cannot be for app %s', new.app_id),
      schema = tg_table_schema, table = tg_table_name, column = 'app_id';
  end if;

  return new;
end
$$;

comment on function private.tg_generation_costs__attribute() is
  'Trigger: copies what a cost is for from its generation, or from the row that it corrects. Raises LEO18, LEO19.';

create trigger _100_attribute before insert on public.generation_costs
  for each row execute function private.tg_generation_costs__attribute();

-- A correction's iteration is that of the corrected row, and was looked at then.
create trigger _200_refuse_unknown_iteration before insert on public.generation_costs
  for each row when (new.iteration_number is not null and new.corrects_id is null)
  execute function private.tg__refuse_unknown_iteration();

-- migrate:down
set local lock_timeout = '3s';

drop trigger _200_refuse_unknown_iteration on public.generation_costs;
drop trigger _100_attribute on public.generation_costs;
drop function private.tg_generation_costs__attribute();
delete from private.error_codes where code in ('LEO18', 'LEO19');
