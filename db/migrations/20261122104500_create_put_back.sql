-- Expand: creates the function that restores a repaired row from quarantine. The tables' rules apply to it as to any row,
-- so a row that is still invalid stays in quarantine. A generation is restored with its snapshots. Columns that the
-- quarantined row does not have get their defaults.
-- Locks: none. Undo: drops the function.

-- migrate:up
set local lock_timeout = '3s';

create function private.put_back(p_table_name text, p_row_id bigint)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_content jsonb;
  v_repaired jsonb;
  v_request public.generation_requests;
  v_wanted text;
  v_name text;
  v_columns text;
  v_snapshot_id bigint;
  v_count integer := 1;
begin
  -- The row moves, so the row accounting does not change.
  perform set_config('leo.is_upgrade', 'on', true);
  delete from private.quarantine where table_name = p_table_name and row_id = p_row_id returning content into v_content;
  if not found then
    return 0;
  end if;

  if p_table_name = 'generation_requests' then
    v_request := jsonb_populate_record(null::public.generation_requests, v_content);
    v_request.app_id := coalesce(v_request.app_id, private.app_id_of_request(v_request.id));
    v_wanted := coalesce(private.visible_name(v_request.app_name), 'Untitled app');
    perform pg_advisory_xact_lock(private.user_lock_key(v_request.user_id));
    if not exists (select from public.apps as a where a.id = v_request.app_id) then
      v_name := private.free_app_name(v_request.user_id, v_wanted);
      insert into public.apps (id, user_id, app_name, created_at)
      values (v_request.app_id, v_request.user_id, v_name, coalesce(v_request.created_at, now()));
      if v_name <> v_wanted then
        insert into private.migration_log (table_name, row_id, user_id, column_name, original, replacement, reason)
        values ('apps', p_row_id, v_request.user_id, 'app_name', v_wanted, v_name,
          'another app of the user has the name: the app gets another one, the request keeps it');
      end if;
    end if;
    v_repaired := v_content || jsonb_build_object(
      'app_id', v_request.app_id,
      'app_name', case when private.visible_name(v_request.app_name) is null then 'Untitled app' else v_request.app_name end
    );
    insert into private.migration_log (table_name, row_id, user_id, column_name, original, replacement, reason)
    select p_table_name, p_row_id, v_request.user_id, m.key, v_content ->> m.key, m.value,
      case m.key when 'app_id' then 'it was null: an id derived from the id of the request' else 'no visible character' end
    from jsonb_each_text(v_repaired) as m
    where m.key in ('app_id', 'app_name') and m.value is distinct from v_content ->> m.key;
    v_content := v_repaired;
  else
    v_content := v_content || jsonb_build_object(
      'user_id',
      (select r.user_id from public.generation_requests as r where r.id = (v_content ->> 'generation_request_id')::integer)
    );
  end if;

  select string_agg(quote_ident(a.attname), ', ' order by a.attnum) into v_columns
  from pg_attribute as a
  where a.attrelid = format('public.%I', p_table_name)::regclass
    and a.attnum > 0 and not a.attisdropped and v_content ? a.attname;
  execute format(
    'insert into public.%1$I (%2$s) select %2$s from jsonb_populate_record(null::public.%1$I, $1)', p_table_name, v_columns
  ) using v_content;

  if p_table_name = 'generation_requests' then
    for v_snapshot_id in
      select q.row_id
      from private.quarantine as q
      where q.table_name = 'iteration_snapshots' and q.reason = 'its generation is in quarantine'
        and (q.content ->> 'generation_request_id')::bigint = p_row_id
      order by q.row_id
    loop
      v_count := v_count + private.put_back('iteration_snapshots', v_snapshot_id);
    end loop;
  end if;
  return v_count;
end
$$;

comment on function private.put_back(text, bigint) is
  'Moves a repaired row from quarantine to its table, a generation with its snapshots. Returns the number of rows; 0 if it is not in quarantine.';

-- migrate:down
set local lock_timeout = '3s';

drop function private.put_back(text, bigint);
