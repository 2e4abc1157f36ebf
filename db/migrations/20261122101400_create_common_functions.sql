-- Creates the functions that several migrations use: the check that `down` sections run before they drop rows, the
-- trigger functions for updated_at and for frozen columns, and the rules that several tables check.
-- Locks: none. Undo: drops the functions.

-- migrate:up
set local lock_timeout = '3s';

create function private.assert_no_rows(p_table regclass, p_condition text default 'true')
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_found boolean;
begin
  execute format('lock table %s in access exclusive mode', p_table);
  execute format('select exists (select from %s where %s)', p_table, p_condition) into v_found;
  if v_found then
    raise exception using
      errcode = 'LEO08',
      message = format('%s still has rows (where %s), which this step would lose', p_table, p_condition),
      hint = 'Move them away first, or restore a backup instead of rolling back.';
  end if;
end
$$;

comment on function private.assert_no_rows(regclass, text) is
  'Locks the table, raises LEO08 when it has a row that meets the condition. For the down sections of migrations.';

create function private.tg__touch_updated_at()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  new.updated_at := now();
  return new;
end
$$;

comment on function private.tg__touch_updated_at() is 'Trigger: sets updated_at to the start of the transaction.';

create function private.tg__refuse_change()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'LEO06',
    message = format('%s of %s never change', array_to_string(tg_argv, ', '), tg_table_name),
    schema = tg_table_schema, table = tg_table_name;
end
$$;

comment on function private.tg__refuse_change() is
  'Trigger: raises LEO06. Its arguments name the frozen columns; the trigger''s WHEN says when one has changed.';

-- migrate:down
set local lock_timeout = '3s';

drop function private.tg__refuse_change();
drop function private.tg__touch_updated_at();
drop function private.assert_no_rows(regclass, text);
