-- What an honest `down` calls first: it refuses while there is something to lose. It locks the table before it looks, or
-- a writer that commits in between would lose its row.
-- Locks: none. Undo: drops the function.

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

-- migrate:down
set local lock_timeout = '3s';

drop function private.assert_no_rows(regclass, text);
