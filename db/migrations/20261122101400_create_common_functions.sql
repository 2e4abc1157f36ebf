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
      message = format('%s has rows (where %s), which the rollback would delete', p_table, p_condition),
      hint = 'Move them away first, or restore a backup instead of rolling back.';
  end if;
end
$$;

comment on function private.assert_no_rows(regclass, text) is
  'Locks the table, raises LEO08 if it has a row that meets the condition. For the down sections of migrations.';

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
    message = format('%s of %s cannot be changed', array_to_string(tg_argv, ', '), tg_table_name),
    schema = tg_table_schema, table = tg_table_name;
end
$$;

comment on function private.tg__refuse_change() is
  'Trigger: raises LEO06. Its arguments are the frozen columns; the WHEN of the trigger tests whether one has changed.';

-- The rules of several tables' checks and of the backfill. In plpgsql, which keeps its plan: a CHECK with an SQL function
-- is planned again for each statement.
create function private.has_visible_character(p_text text)
returns boolean
language plpgsql
immutable
strict
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  -- The code points are listed, because \s and [[:space:]] depend on the locale.
  return p_text collate "C" ~ '[^\u0001-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]';
end
$$;

comment on function private.has_visible_character(text) is
  'Whether the text has a character that a reader can see: not only spaces, control and format characters.';

create function private.is_https_url(p_text text)
returns boolean
language plpgsql
immutable
strict
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return p_text collate "C" ~ '^https://[!-~]+$';
end
$$;

comment on function private.is_https_url(text) is 'Whether the text is an https URL, in printable ASCII without spaces.';

-- A check calls them as the role that writes the table, whichever that is. They read no table.
grant execute on function private.has_visible_character(text) to public;
grant execute on function private.is_https_url(text) to public;

-- migrate:down
set local lock_timeout = '3s';

drop function private.is_https_url(text);
drop function private.has_visible_character(text);
drop function private.tg__refuse_change();
drop function private.tg__touch_updated_at();
drop function private.assert_no_rows(regclass, text);
